/** The handlers of one namespace, by event. */
import type { SocketHandler } from './context';
import { SetupError, messageOf } from '../errors';

/** Events that the server fires itself when a connection ends or fails. Packet middleware does not run around these. */
export const RESERVED_EVENTS: ReadonlySet<string> = new Set(['disconnecting', 'disconnect', 'error']);

/** Events that the protocol does not let clients send: routes for them are never called. */
const UNREACHABLE_EVENTS: ReadonlySet<string> = new Set(['connect', 'connect_error', 'newListener', 'removeListener']);

export class Router {
  readonly #namespace: string;
  readonly #handlers = new Map<unknown, SocketHandler>();
  readonly #reserved = new Map<string, SocketHandler>();
  readonly #warn: (message: string) => void;

  constructor(namespace: string, warn: (message: string) => void) {
    this.#namespace = namespace;
    this.#warn = warn;
  }

  /** Adds a route. If the event has one already, keeps that and logs a warning. */
  add(event: unknown, handler: unknown, toHandler: (fn: (...args: never[]) => unknown, place: string) => SocketHandler): void {
    const place = `route('${String(event)}') of namespace '${this.#namespace}'`;
    if (typeof event !== 'string' || event === '')
      throw new SetupError('IO_ROUTE_INVALID', `${place}: the event must be a string that is not empty`);
    if (typeof handler !== 'function') {
      throw new SetupError(
        'IO_ROUTE_INVALID',
        `${place}: the handler is ${handler === null ? 'null' : typeof handler}, not a function; does app/io/controller export it under that name?`,
      );
    }
    const routes = RESERVED_EVENTS.has(event) ? this.#reserved : this.#handlers;
    if (routes.has(event)) {
      this.#warn(messageOf('IO_ROUTE_DUPLICATE', `${place} exists already; the first one is kept`));
      return;
    }
    if (UNREACHABLE_EVENTS.has(event))
      this.#warn(messageOf('IO_ROUTE_UNREACHABLE', `${place}: Socket.IO reserves this event, so no client can send it`));
    routes.set(event, toHandler(handler as (...args: never[]) => unknown, place));
  }

  /** The handler of an event that a client sent, if there is one. Never that of a reserved event. */
  match(event: unknown): SocketHandler | undefined {
    return this.#handlers.get(event);
  }

  /** The routed events that the server fires itself. */
  get reserved(): ReadonlyMap<string, SocketHandler> {
    return this.#reserved;
  }
}
