/** The handlers of one namespace, by event. */
import type { SocketHandler } from './context';
import { isControl } from './controls';
import { IoError, SetupError, messageOf } from '../errors';
import { RESERVED } from '../rooms';

/** Events that the server fires itself when a connection ends or fails. Packet middleware does not run around these. */
export const RESERVED_EVENTS: ReadonlySet<string> = new Set(['disconnecting', 'disconnect', 'error']);

/** Events that the protocol does not let clients send: routes for them are never called. */
const UNREACHABLE_EVENTS: ReadonlySet<string> = new Set(['connect', 'connect_error', 'newListener', 'removeListener']);

/**
 * The error of unmatched events. Created once, since clients can invent many, and frozen, since middleware can catch it. It does not name the
 * event: log lines of equal messages are limited together.
 */
export const NOT_FOUND = new IoError('NOT_FOUND', 'Nothing handles this event', { status: 404 });
Object.freeze(NOT_FOUND);

type AppHandler = (...args: never[]) => unknown;

/** What a call of `route()` has after its event. */
export interface GivenRoute {
  /** A function, or a mistake. */
  readonly handler: unknown;
  /** Whether its events have an idempotency key. */
  readonly hasKey: boolean;
  /** Converts such a function, with the route's middleware. */
  readonly toHandler: (fn: AppHandler) => SocketHandler;
}

/** Reads the arguments of a route. `place` names it in errors. */
type ReadRoute = (place: string) => GivenRoute;

/** The policy for unmatched events in `config.io`. */
export type UnmatchedPolicy = 'ignore' | 'error';

export class Router {
  readonly #namespace: string;
  readonly #handlers = new Map<string, SocketHandler>();
  readonly #reserved = new Map<string, SocketHandler>();
  /** The events of a contract. Undefined without one. */
  #known: ReadonlySet<string> | undefined;
  readonly #warn: (message: string) => void;
  /** The policy's, or the app's own. */
  #unmatched: SocketHandler | undefined;
  #hasOwnUnmatched = false;

  constructor(namespace: string, policy: UnmatchedPolicy, warn: (message: string) => void) {
    this.#namespace = namespace;
    this.#warn = warn;
    if (policy === 'error') this.#unmatched = throwNotFound;
  }

  /** Adds a route. If the event has one already, keeps that and logs a warning. */
  add(event: unknown, read: ReadRoute): void {
    const place = `route('${String(event)}') of namespace '${this.#namespace}'`;
    if (typeof event !== 'string' || event === '')
      throw new SetupError('IO_ROUTE_INVALID', `${place}: the event must be a string that is not empty`);
    if (isControl(event))
      throw new SetupError('IO_ROUTE_INVALID', `${place}: events that begin with '${RESERVED}' are reserved; give it another name`);
    const { handler, toHandler, hasKey } = read(place);
    checkHandler(handler, place);
    if (hasKey && RESERVED_EVENTS.has(event))
      throw new SetupError('IO_ROUTE_INVALID', `${place}: idempotencyKey is for events of clients, and the server fires this one`);
    this.#checkKnown(event);
    const routes = RESERVED_EVENTS.has(event) ? this.#reserved : this.#handlers;
    if (routes.has(event)) {
      this.#warn(messageOf('IO_ROUTE_DUPLICATE', `${place} exists already; the first one is kept`));
      return;
    }
    if (UNREACHABLE_EVENTS.has(event))
      this.#warn(messageOf('IO_ROUTE_UNREACHABLE', `${place}: Socket.IO reserves this event, so no client can send it`));
    routes.set(event, toHandler(handler));
  }

  /** Sets the handler of unmatched events, in place of the policy. If there is one already, keeps that and logs a warning. */
  addUnmatched(read: ReadRoute): void {
    const place = `routeUnmatched() of namespace '${this.#namespace}'`;
    const { handler, toHandler } = read(place);
    checkHandler(handler, place);
    if (this.#hasOwnUnmatched) {
      this.#warn(messageOf('IO_ROUTE_DUPLICATE', `${place} exists already; the first one is kept`));
      return;
    }
    this.#hasOwnUnmatched = true;
    this.#unmatched = toHandler(handler);
  }

  /** Lets only these events and the reserved ones have routes. @throws SetupError if another one has a route already */
  limitTo(events: readonly string[]): void {
    const known = new Set(events);
    for (const event of this.#handlers.keys()) this.#checkKnown(event, known);
    this.#known = known;
  }

  /** The handler of an event that a client sent, if there is one. Never that of a reserved event. A number matches the route of its text. */
  match(event: unknown): SocketHandler | undefined {
    return this.#handlers.get(typeof event === 'number' ? String(event) : (event as string)); // anything else is not in the map
  }

  /** The handler of events that have neither a route nor a listener. Undefined if these are ignored. */
  get unmatched(): SocketHandler | undefined {
    return this.#unmatched;
  }

  /** Whether the app has added nothing. */
  get isEmpty(): boolean {
    return this.#handlers.size === 0 && this.#reserved.size === 0 && !this.#hasOwnUnmatched;
  }

  /** Whether the app has set a handler of unmatched events. */
  get hasOwnUnmatched(): boolean {
    return this.#hasOwnUnmatched;
  }

  /** The routed events that clients send. */
  get events(): string[] {
    return [...this.#handlers.keys()];
  }

  /** The routed events that the server fires itself. */
  get reserved(): ReadonlyMap<string, SocketHandler> {
    return this.#reserved;
  }

  #checkKnown(event: string, known = this.#known): void {
    if (!known || known.has(event) || RESERVED_EVENTS.has(event)) return;
    const place = `route('${event}') of namespace '${this.#namespace}'`;
    throw new SetupError(
      'IO_ROUTE_INVALID',
      `${place}: the contract has no such event of clients; it has ${[...known].join(', ') || 'none'}`,
    );
  }
}

function throwNotFound(): never {
  throw NOT_FOUND;
}

function checkHandler(handler: unknown, place: string): asserts handler is AppHandler {
  if (typeof handler === 'function') return;
  throw new SetupError(
    'IO_ROUTE_INVALID',
    `${place}: the handler is ${handler === null ? 'null' : typeof handler}, not a function; does app/io/controller export it under that name?${handler === undefined ? ' If these are the options, leave them out' : ''}`,
  );
}
