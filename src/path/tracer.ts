/** What gives connections and packets their spans, while that is on. */
import type { Socket } from 'socket.io';
import type { ConnectionWatch, PacketWatch } from './watch';

/** Runs code as that of a context: `app.currentContext` is right within it. */
export interface Scope {
  run<Result, Args extends unknown[]>(ctx: object, fn: (...args: Args) => Result, ...args: Args): Result;
}

export interface Tracer {
  readonly connections: ConnectionWatch;
  /** Reserved events have spans as well. */
  readonly packets: PacketWatch;
  /** The same scope, in which code also runs within the span of its context. */
  scopeOf(scope: Scope): Scope;
  /** Calls a function within the span of a connection. */
  runIn<Args extends unknown[]>(socket: Socket, fn: (...args: Args) => void, ...args: Args): void;
  /** To be called when Socket.IO has connected the socket: its span ends. */
  complete(socket: Socket): void;
  /** To be called when a fault keeps a client from connecting: its span ends. @param code that of the error which the client gets */
  fail(socket: Socket, code: string, fault: Error): void;
  /** Of the span of a context. */
  traceIdOf(ctx: { readonly packet: unknown; readonly socket: Socket }): string | undefined;
  /** Of the span within which this is called. */
  activeTraceId(): string | undefined;
}
