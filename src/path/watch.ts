/** What hears of all connections and packets, while it is on: the access log, the metrics and the spans. */
import type { Server as EngineServer } from 'engine.io';
import type { Socket } from 'socket.io';
import type { EngineError } from '../internals/engine-io';
import type { SocketUser } from '../socket-user';

/** The part of a connection that is watched. */
export interface Watched {
  readonly socket: Socket;
  readonly user: SocketUser | undefined;
  readonly namespace: WatchedNamespace;
}

interface WatchedNamespace {
  /** For a namespace made on demand the pattern's name, once its parent has accepted the client. */
  readonly name: string;
  /** The same at any time: no client has chosen it. */
  readonly kind: string;
  readonly pattern: object | undefined;
  readonly router: { match(event: unknown): unknown; readonly reserved: ReadonlyMap<string, unknown> };
}

export interface ConnectionWatch {
  /** To be called for each engine, before it has connections. */
  attach(engine: EngineServer): void;
  /** To be called for each client that asks for a namespace. */
  begin(socket: Socket): void;
  /** To be called when another connection takes the place of one, as if that had not been. */
  forget(socket: Socket): void;
  /** To be called when a client is refused. The first code counts. */
  refuse(socket: Socket, code: string): void;
  /** To be called when a connection has ended. @param reason that of the event `disconnect`, if the client was connected */
  end(connection: Watched, reason: string | undefined): void;
}

export interface PacketWatch {
  /** To be called for each packet that gets a context. */
  begin(ctx: object, event: unknown, connection: Watched): void;
  /**
   * To be called before `end()`, if the packet has failed.
   * @param code that of the error which the client gets @param fault the error, if it needs a developer's attention
   */
  fail(ctx: object, code: string, fault: Error | undefined): void;
  end(ctx: object, connection: Watched): void;
  /** To be called for a packet that gets no context. @param outcome `OK`, or the code of the error */
  write(connection: Watched, event: unknown, outcome: string): void;
}

/** The code of this plugin, where it has one, or else Engine.IO's message. */
export function codeOfRefused({ message = 'refused', context }: EngineError): string {
  const code = context?.message;
  return code !== undefined && /^[A-Z_]+$/.test(code) ? code : message;
}

/** Both, if there are two. Undefined if there is none. */
export function bothConnections(first: ConnectionWatch | undefined, second: ConnectionWatch | undefined): ConnectionWatch | undefined {
  if (!first || !second) return first ?? second;
  return {
    attach(engine) {
      first.attach(engine);
      second.attach(engine);
    },
    begin(socket) {
      first.begin(socket);
      second.begin(socket);
    },
    forget(socket) {
      first.forget(socket);
      second.forget(socket);
    },
    refuse(socket, code) {
      first.refuse(socket, code);
      second.refuse(socket, code);
    },
    end(connection, reason) {
      first.end(connection, reason);
      second.end(connection, reason);
    },
  };
}

/** The same for packets. */
export function bothPackets(first: PacketWatch | undefined, second: PacketWatch | undefined): PacketWatch | undefined {
  if (!first || !second) return first ?? second;
  return {
    begin(ctx, event, connection) {
      first.begin(ctx, event, connection);
      second.begin(ctx, event, connection);
    },
    fail(ctx, code, fault) {
      first.fail(ctx, code, fault);
      second.fail(ctx, code, fault);
    },
    end(ctx, connection) {
      first.end(ctx, connection);
      second.end(ctx, connection);
    },
    write(connection, event, outcome) {
      first.write(connection, event, outcome);
      second.write(connection, event, outcome);
    },
  };
}
