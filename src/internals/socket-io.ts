/** Members of Socket.IO, Engine.IO and ws that are not part of their public API: each with its reason, and the only casts to reach them. */
import type { Server as EngineServer, Socket as EngineSocket } from 'engine.io';
import type { IncomingMessage } from 'node:http';
import type { Namespace, Server, Socket } from 'socket.io';
import type { Adapter } from 'socket.io-adapter';
import type { Members } from './members';

type Callback = (...args: unknown[]) => void;

interface ServerInternals {
  readonly parentNsps: Map<unknown, Namespace>;
  readonly opts: {
    readonly connectionStateRecovery?: { readonly maxDisconnectionDuration?: number };
    readonly pingInterval?: number;
    readonly pingTimeout?: number;
  };
}

interface NamespaceInternals {
  readonly _preConnectSockets: Map<string, Socket>;
  _fns: unknown[];
  run(socket: Socket, done: (error?: Error) => void): void;
  _createSocket(...args: unknown[]): Promise<Socket>;
  _doConnect(socket: Socket, done?: (socket: Socket) => void): void;
  emitReserved(...args: unknown[]): boolean;
}

interface ParentInternals {
  readonly children: Set<Namespace>;
  createChild(name: string): Namespace;
}

interface SocketInternals {
  readonly acks: Map<unknown, Callback>;
  readonly flags: { timeout?: number };
  adapter: Adapter;
  ack(id: number): Callback;
  dispatch(packet: unknown[]): void;
  onevent(packet: object): void;
  packet(packet: { readonly type: number; readonly data: unknown[] }): void;
  newBroadcastOperator(): unknown;
  emitReserved(...args: unknown[]): boolean;
  notifyOutgoingListeners(packet: object): void;
  onack(packet: object): void;
  registerAckCallback(id: number, callback: Callback): void;
  _cleanup(): void;
  _onclose(reason: string): void;
}

/** A request, with what Engine.IO has read of it by the time it verifies it. */
export type EngineRequest = IncomingMessage & { readonly _query: Readonly<Record<string, string | undefined>> };

export interface EngineInternals {
  readonly clients: Readonly<Record<string, EngineSocket & { readonly request: IncomingMessage | null }>>;
  verify(request: EngineRequest, isUpgrade: boolean, answer: (code?: number, context?: { message: string }) => void): void;
}

export const SERVER: Members<ServerInternals & Pick<Server, '_nsps' | '_opts' | '_parser' | '_checkNamespace' | 'encoder'>> = {
  package: 'socket.io',
  owner: 'Server',
  why: {
    parentNsps: 'whether a client may connect is asked of the parents, also for a namespace that is there already',
    opts: 'how long a client may be away and still recover',
    _nsps: 'a namespace that is not made yet stands there while its parents are asked',
    _opts: 'whether empty namespaces are removed',
    encoder: 'a broadcast is encoded once for the clients of all workers',
    _parser: 'the decoder refuses packets that are nested too deeply',
    _checkNamespace: 'a CONNECT to a namespace that is not there is an arrival like any other',
  },
};

export const NAMESPACE: Members<NamespaceInternals & Pick<Namespace, '_add' | '_initAdapter' | '_remove' | '_onServerSideEmit'>> = {
  package: 'socket.io',
  owner: 'Namespace',
  why: {
    _preConnectSockets: 'sockets that are connecting: they are closed, refused or given an id of the app while they stand there',
    _fns: 'a child has copies of what its parent was given by use()',
    run: 'runs what the app gives to use() between middleware of this plugin',
    _createSocket: 'where a socket gets its operators, and what its client has missed',
    _doConnect: 'the old connection of a client that comes back ends only when all middleware has said yes',
    emitReserved: 'calls listeners of the app, which may throw',
    _add: 'where clients come in',
    _initAdapter: 'a name that a client has made up gets no adapter that other servers hear of',
    _remove: 'an empty child that others are connecting to has to stay',
    _onServerSideEmit: 'delivers what other processes emit to servers',
  },
};

export const PARENT: Members<ParentInternals> = {
  package: 'socket.io',
  owner: 'ParentNamespace',
  why: {
    children: 'a namespace that the app has named is a child of the parent that lets a client in',
    createChild: 'makes the namespace that a client has asked for',
  },
};

export const SOCKET: Members<SocketInternals & Pick<Socket, '_error' | '_onerror'>> = {
  package: 'socket.io',
  owner: 'Socket',
  why: {
    acks: 'acknowledgements that wait for a client end when it goes',
    flags: 'the timeout of an emit',
    adapter: 'a socket that is connecting or refused has rooms of its own',
    ack: 'the function that answers a packet',
    dispatch: "runs what the app gives to socket.use(), and then the app's listeners",
    onevent: 'where events of a client come in',
    packet: 'sends a client that comes back what it has missed',
    newBroadcastOperator: 'where the operators of a socket get their way to ask',
    _cleanup: 'takes a socket that never connects out of the tables',
    _onclose: 'ends a socket with the reason that the server closes',
    emitReserved: 'calls listeners of the app, which may throw',
    notifyOutgoingListeners: 'calls listeners of the app, which may throw',
    onack: 'an acknowledgement calls the app, which may throw',
    registerAckCallback: 'questions to a client that goes end',
    _error: 'refuses a client',
    _onerror: 'fires the event `error` of the server',
  },
};

/** The part of Engine.IO that has the connections. */
export const ENGINE: Members<EngineInternals> = {
  package: 'engine.io',
  owner: 'Server',
  why: {
    clients: 'the first request of a session says which origin the others must have; all connections are closed in order',
    verify: 'where Engine.IO decides whether a request belongs to a session: its origin is checked there',
  },
};

/** ws's own part that writes frames, for its `send()` and for the frames that Socket.IO has made for a broadcast. */
export interface SenderInternals {
  sendFrame(frame: readonly [head: Buffer, data?: Buffer | string], sent?: (error?: Error | null) => void): void;
}

export const WS_SOCKET: Members<{ _sender: unknown }> = {
  package: 'ws',
  owner: 'WebSocket',
  why: { _sender: 'the frames of one tick are held back, and leave in one system call' },
  fallback: 'each frame leaves in a system call of its own',
};

export const WS_SENDER: Members<SenderInternals> = {
  package: 'ws',
  owner: 'Sender',
  why: { sendFrame: 'writes each frame: those of one tick are held back, and leave in one system call' },
  fallback: 'each frame leaves in a system call of its own',
};

export function serverInternals(server: Server): ServerInternals {
  return server as unknown as ServerInternals; // private or protected
}

export function namespaceInternals(nsp: Namespace): NamespaceInternals {
  return nsp as unknown as NamespaceInternals; // private, or typed otherwise
}

export function socketInternals(socket: Socket): SocketInternals {
  return socket as unknown as SocketInternals; // private
}

/** What writes the frames of a WebSocket. Undefined where ws lacks it. */
export function senderOf(webSocket: object): SenderInternals | undefined {
  const { _sender: sender } = webSocket as { _sender?: Partial<SenderInternals> | null }; // private
  return typeof sender?.sendFrame === 'function' ? (sender as SenderInternals) : undefined;
}

/** The WebSocket of a connection. Undefined where that polls. */
export function webSocketOf({ transport }: EngineSocket): unknown {
  return (transport as { socket?: unknown }).socket; // not declared
}

/** The private id of a client that can recover. */
export function privateIdOf(socket: Socket): string {
  return String((socket as unknown as { pid?: string }).pid); // private; there only where recovery is on
}

/** The namespaces that a client is connected to. There is no client at the boot to look at. */
export function namespacesOf(client: Socket['client']): ReadonlyMap<string, Socket> {
  return (client as unknown as { nsps: Map<string, Socket> }).nsps; // private
}

export function engineInternals(engine: EngineServer): EngineInternals {
  return engine as unknown as EngineInternals; // protected
}

/** What Engine.IO has yet to hand to the transport. There is no connection at the boot to look at. */
export function writeBufferOf(connection: EngineSocket): readonly unknown[] {
  return (connection as unknown as { writeBuffer?: unknown[] }).writeBuffer ?? []; // private; without it the connection closes at once
}
