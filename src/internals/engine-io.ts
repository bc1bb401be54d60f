/** Private members of Engine.IO: each with its reason, and the only casts to access them. */
import { EventEmitter } from 'node:events';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Server as EngineServer, Socket as EngineSocket } from 'engine.io';
import { hasMembers, type Members } from './members';

interface RequestInternals {
  readonly _query: Readonly<Record<string, string | undefined>>;
}

/** A request with the query that Engine.IO has parsed. */
export type EngineRequest = IncomingMessage & RequestInternals;

/** What an engine says of a request that it refuses: its event `connection_error`. */
export interface EngineError {
  readonly req?: IncomingMessage;
  readonly message?: string;
  readonly context?: { readonly message?: string };
}

export interface EngineInternals {
  readonly clients: Readonly<Record<string, EngineSocket & { readonly request: IncomingMessage | null }>>;
  verify(request: EngineRequest, isUpgrade: boolean, answer: (code?: number, context?: { message: string }) => void): void;
  handshake(transport: string, request: EngineRequest, close: (code: number) => void): Promise<unknown>;
}

export interface HeartbeatInternals {
  readonly pingTimeoutTimer: NodeJS.Timeout | null;
  readonly hasRefreshedPingTimeout: boolean;
}

export interface LimitedInternals {
  onClose(reason: string): void;
  sendPacket(type: string): void;
  flush(): void;
}

interface MiddlewareInternals {
  readonly middlewares: readonly unknown[];
  _applyMiddlewares(request: unknown, response: unknown, done: (error?: unknown) => void): void;
}

type Listener = (...args: unknown[]) => void;

/** The part of Engine.IO with the connections. */
export const ENGINE: Members<EngineInternals> = {
  package: 'engine.io',
  owner: 'Server',
  why: {
    clients: 'the first request of a session has the origin that later ones must have; all connections are closed in order',
    verify: 'checks the origin of each request of a session',
    handshake: 'a client that is about to be connected counts as a connection',
  },
};

export const ENGINE_REQUEST: Members<RequestInternals> = {
  package: 'engine.io',
  owner: 'EngineRequest',
  why: { _query: 'the session, transport and protocol of a request, as Engine.IO itself has parsed them' },
};

export const ENGINE_MIDDLEWARE: Members<MiddlewareInternals> = {
  package: 'engine.io',
  owner: 'Server',
  why: {
    middlewares: 'without middleware, nothing sees the response of an upgrade',
    _applyMiddlewares: 'is called when the response of an upgrade has just been made',
  },
  fallback: 'each WebSocket keeps the response of its upgrade',
};

/** This one and the three below are checked with the first client: at the boot there is no connection yet. */
export const ENGINE_SOCKET: Members<{ writeBuffer: unknown[]; upgrading: boolean }> = {
  package: 'engine.io',
  owner: 'Socket',
  why: {
    writeBuffer: 'a polling client gets its last messages before its connection closes, and no broadcast overtakes what waits',
    upgrading: 'no answer is held back from a client that upgrades and waits for it',
  },
  fallback:
    'a closing server closes polling connections at once, broadcasts cost more, and a client with too many events may fail to upgrade',
};

export const ENGINE_TRANSPORT: Members<{ socket: unknown }> = {
  package: 'engine.io',
  owner: 'WebSocket',
  why: { socket: 'a closing server cuts off WebSockets whose clients do not answer, and a broadcast is written to them directly' },
  fallback: 'a closing server waits for WebSockets whose clients do not answer, and broadcasts cost more',
};

export const HEARTBEAT: Members<HeartbeatInternals> = {
  package: 'engine.io',
  owner: 'Socket',
  why: {
    pingTimeoutTimer: 'a message may extend the time for the answer to a ping',
    hasRefreshedPingTimeout: 'only the first message after a ping does so',
  },
  fallback: 'each event costs more, since it goes through Engine.IO and the parser',
};

export const ENGINE_LIMITS: Members<LimitedInternals> = {
  package: 'engine.io',
  owner: 'Socket',
  why: {
    onClose: 'what is closed for a limit ends at once, and its memory comes back',
    sendPacket:
      'a client that is not read for some time still gets pings, and one that polls goes on by way of another worker when one stops',
    flush: 'all that a client is told before its connection ends leaves together',
  },
  fallback:
    'a connection that is closed for a limit ends later, without an `error` event, and a client that is not read for some time may disconnect',
};

export function engineInternals(engine: EngineServer): EngineInternals {
  return engine as unknown as EngineInternals; // protected
}

/** The first request of a connection, as Engine.IO has prepared it. Undefined over WebTransport, which has no address and no request that follows. */
export function requestOf(connection: EngineSocket): EngineRequest | undefined {
  return (connection as unknown as { readonly request: EngineRequest | null }).request ?? undefined; // typed as any request
}

/** The WebSocket of a connection. Undefined for a polling one. */
export function webSocketOf({ transport }: EngineSocket): unknown {
  return (transport as { socket?: unknown }).socket; // not declared
}

/** Whether the next message extends the time that the client has to answer a ping. */
export function isPinged(connection: EngineSocket): boolean {
  const { pingTimeoutTimer, hasRefreshedPingTimeout } = connection as unknown as HeartbeatInternals; // private
  return pingTimeoutTimer !== null && !hasRefreshedPingTimeout;
}

/** The packets that Engine.IO has not passed to the transport yet. */
export function writeBufferOf(connection: EngineSocket): readonly unknown[] {
  return (connection as unknown as { writeBuffer?: unknown[] }).writeBuffer ?? []; // private
}

/** The WebSocket of a connection, where that is open, nothing waits in Engine.IO, and nobody listens to its packets. Undefined for all others. */
export function idleWebSocketOf(connection: EngineSocket): unknown {
  const { transport, readyState } = connection;
  const { writeBuffer } = connection as unknown as { writeBuffer?: unknown[] }; // private
  if (!transport.writable || writeBuffer?.length !== 0 || readyState !== 'open') return undefined;
  const isHeard =
    connection.listenerCount('packetCreate') > 0 || connection.listenerCount('flush') > 0 || connection.listenerCount('drain') > 0;
  return isHeard ? undefined : webSocketOf(connection);
}

/** A request as Engine.IO prepares it. Undefined if Engine.IO has another name for that. */
export function preparedRequest(engine: EngineServer): object | undefined {
  const { prepare } = engine as unknown as { prepare?(request: object): void }; // protected
  const request = { url: '/?EIO=4' };
  prepare?.call(engine, request);
  return prepare && request;
}

/**
 * Engine.IO makes a response for each upgrade, in case middleware of the engine wants one, and keeps it and the request in a listener of the
 * connection. Without such middleware, this removes that listener: the one that has been added to the connection since the upgrade began.
 */
export function forgetResponses(engine: EngineServer): void {
  if (!hasMembers(ENGINE_MIDDLEWARE, engine)) return;
  const handleUpgrade = engine.handleUpgrade.bind(engine);
  const applyMiddlewares = engine._applyMiddlewares.bind(engine);
  let upgrading: Duplex | undefined;
  let listenersBefore = 0;
  engine.handleUpgrade = (request, connection, head) => {
    upgrading = connection;
    listenersBefore = connection.listenerCount('close');
    try {
      handleUpgrade(request, connection, head);
    } finally {
      upgrading = undefined;
    }
  };
  engine._applyMiddlewares = (request, response, done) => {
    const [added, ...others] = upgrading?.listeners('close').slice(listenersBefore) ?? [];
    if (added && others.length === 0 && engine.middlewares.length === 0) upgrading?.off('close', added as Listener); // typed as any function
    applyMiddlewares(request, response, done);
  };
}

/** Removes listeners of Engine.IO that refer to the upgrade of a WebSocket, and are not called once there is a connection. */
export function forgetUpgrade(connection: EngineSocket): void {
  const webSocket = webSocketOf(connection);
  if (!(webSocket instanceof EventEmitter)) return; // polling, or another engine
  connection.transport.removeAllListeners('headers'); // of the responses of polling
  const [first, ...others] = webSocket.listeners('error');
  if (first?.name === 'onUpgradeError' && others.length > 0) webSocket.off('error', first as Listener); // the transport has its own; typed as any function
}
