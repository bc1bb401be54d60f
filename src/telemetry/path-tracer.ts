/** The spans of connections and packets. */
import type { SpanContext } from '@opentelemetry/api';
import type { Socket } from 'socket.io';
import { AbsentNamespace } from '../path/parents';
import { traceparentOf } from '../path/sent';
import type { Scope, Tracer } from '../path/tracer';
import type { ConnectionWatch, PacketWatch } from '../path/watch';
import { parseTraceparent } from './opentelemetry';
import type { Failure, Traced, Tracing } from './tracing';

interface ConnectionSpan extends Traced {
  /** Where the client says that it comes from. */
  readonly sender: SpanContext | undefined;
  /** The code of the refusal, if there is one. */
  code: string | undefined;
  hasEnded: boolean;
}

interface PacketSpan extends Traced {
  failure: Failure | undefined;
}

/** The part of a context that is used here. */
type Spanned = Parameters<Tracer['traceIdOf']>[0];

export class PathTracer implements Tracer {
  readonly #tracing: Tracing;
  /** Kept for as long as a connection: its middleware may log after its `next()`. */
  readonly #connections = new WeakMap<Socket, ConnectionSpan>();
  /** When clients have asked for namespaces that do not exist. Most often another socket takes the place of such a one: its span has not begun. */
  readonly #asked = new WeakMap<Socket, number>();
  readonly #packets = new WeakMap<object, PacketSpan>();

  readonly connections: ConnectionWatch = {
    attach() {},
    begin: socket => {
      if (socket.nsp instanceof AbsentNamespace) this.#asked.set(socket, Date.now());
      else this.#begin(socket);
    },
    forget: socket => void this.#asked.delete(socket),
    refuse: (socket, code) => {
      const connection = this.#connectionOf(socket);
      if (connection) connection.code ??= code;
    },
    end: ({ socket }) => {
      const { code, hasEnded = true, span } = this.#connectionOf(socket) ?? {};
      if (code === undefined && !hasEnded) span?.addEvent('the client left');
      this.#end(socket, code === undefined ? undefined : { code, fault: undefined });
    },
  };

  readonly packets: PacketWatch = {
    begin: (ctx, event, { namespace: { name, router }, socket }) => {
      const hasRoute = router.match(event) !== undefined || router.reserved.has(event as string); // anything else is not in the map
      const sender = parseTraceparent(traceparentOf(ctx)) ?? this.#connections.get(socket)?.sender;
      const span = this.#tracing.process(socket, { template: name, route: hasRoute ? String(event) : undefined }, sender);
      this.#packets.set(ctx, { ...span, failure: undefined });
    },
    fail: (ctx, code, fault) => {
      const packet = this.#packets.get(ctx);
      if (packet) packet.failure = { code, fault };
    },
    end: ctx => {
      const packet = this.#packets.get(ctx);
      if (packet) this.#tracing.end(packet, packet.failure);
    },
    write() {},
  };

  constructor(tracing: Tracing) {
    this.#tracing = tracing;
  }

  scopeOf(scope: Scope): Scope {
    return {
      run: (ctx, fn, ...args) => {
        const traced = this.#of(ctx as Spanned); // all contexts here are those of sockets
        return traced ? this.#tracing.runIn(traced, () => scope.run(ctx, fn, ...args)) : scope.run(ctx, fn, ...args);
      },
    };
  }

  runIn<Args extends unknown[]>(socket: Socket, fn: (...args: Args) => void, ...args: Args): void {
    const traced = this.#connections.get(socket);
    if (traced) this.#tracing.runIn(traced, () => fn(...args));
    else fn(...args);
  }

  complete(socket: Socket): void {
    this.#end(socket, undefined);
  }

  fail(socket: Socket, code: string, fault: Error): void {
    this.#end(socket, { code, fault });
  }

  traceIdOf(ctx: Spanned): string | undefined {
    const traced = this.#of(ctx);
    return traced && this.#tracing.traceIdOf(traced.span);
  }

  activeTraceId(): string | undefined {
    return this.#tracing.traceIdOf();
  }

  /** A connection's own contexts have no packet. */
  #of(ctx: Spanned): Traced | undefined {
    return this.#packets.get(ctx) ?? (ctx.packet === undefined ? this.#connections.get(ctx.socket) : undefined);
  }

  /** @param startTime Default: now */
  #begin(socket: Socket, startTime?: number): ConnectionSpan {
    const { auth } = socket.handshake as { auth?: { traceparent?: unknown } }; // none with an old client
    const sender = parseTraceparent(auth?.traceparent);
    const connection = { ...this.#tracing.connect(socket.nsp, sender, startTime), sender, code: undefined, hasEnded: false };
    this.#connections.set(socket, connection);
    return connection;
  }

  #connectionOf(socket: Socket): ConnectionSpan | undefined {
    const startTime = this.#asked.get(socket);
    this.#asked.delete(socket);
    return startTime === undefined ? this.#connections.get(socket) : this.#begin(socket, startTime);
  }

  #end(socket: Socket, failure: Failure | undefined): void {
    const connection = this.#connectionOf(socket);
    if (!connection || connection.hasEnded) return;
    connection.hasEnded = true;
    connection.span.setAttribute('messaging.client.id', socket.id); // the app may have assigned it meanwhile
    this.#tracing.end(connection, failure);
  }
}
