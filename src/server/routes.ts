/** The types of `route()` and `routeUnmatched()`. */
import type { Context } from 'egg';
import type { EventName, EventSource, HandlerResult, OwnEvents } from '../events';
import type { AnyController, AnyPacketContext, Handler, Middleware, SpecificHandler, SpecificMiddleware } from '../types';

/** The methods of namespaces, and of the server for its namespace `/`, that add the handlers of events. */
export interface Routes<Source extends EventSource = never> {
  /**
   * Adds a handler for an event that clients send. An event has one handler: a second route for it is ignored, with a warning.
   *
   * The events `disconnecting`, `disconnect` (the reason is `ctx.args[0]`) and `error` are fired by the server: packet middleware does not run
   * around their handlers, and there is no acknowledgement.
   */
  readonly route: AddRoute<this, Source>;

  /**
   * Sets the handler of events that have neither a route nor a listener, neither of `socket.on()` nor of `onAny()`, in place of
   * `config.io.unmatched`. The event's name is `ctx.packet[0]`. A namespace has one such handler: a second one is ignored, with a warning.
   */
  readonly routeUnmatched: AddUnmatchedRoute<this>;
}

/**
 * The method `route()`. Its arguments are an event, middleware that runs around the handler, outermost first, inside the namespace's packet
 * middleware, the handler, and options.
 *
 * The compiler takes the first signature that fits. Those with more middleware come first, since a function could be meant for the options.
 */
// a signature for each number: within a rest parameter, the compiler would give a handler the parameters of middleware
export interface AddRoute<Self, Source extends EventSource = never> extends Explanation<Self, Source> {
  <Event extends EventName<Source>>(
    event: Event,
    outer: MiddlewareOrName,
    middle: MiddlewareOrName,
    inner: MiddlewareOrName,
    handler: Handler<Source, Event> | string,
    ...options: Options
  ): Self;
  <Event extends EventName<Source>>(
    event: Event,
    outer: MiddlewareOrName,
    inner: MiddlewareOrName,
    handler: Handler<Source, Event> | string,
    ...options: Options
  ): Self;
  /**
   * Adds a handler for an event that clients send, with middleware that runs around it, inside the namespace's packet middleware.
   *
   * @example app.io.route('delete', 'auth', app.io.middleware.audit, 'message.delete');
   */
  <Event extends EventName<Source>>(
    event: Event,
    middleware: MiddlewareOrName,
    handler: Handler<Source, Event> | string,
    ...options: Options
  ): Self;
  /**
   * Adds a handler for an event that clients send. An event has one handler: a second route for it is ignored, with a warning.
   *
   * @param handler usually a controller, such as `app.io.controller.chat.say`, or its name, `'chat.say'`
   * @throws SetupError if the event is not a string, the handler is neither a function nor the name of one, or an option has a wrong type
   */
  <Event extends EventName<Source>>(event: Event, handler: Handler<Source, Event> | string, ...options: Options): Self;
  /** A handler with another context, such as Egg's own. */
  <Event extends EventName<Source>>(event: Event, handler: AnyHandlerOf<Source, Event>, ...options: Options): Self;
  /** Middleware with a more specific context, such as `Middleware<'/chat'>`. */
  <Event extends EventName<Source>>(
    event: Event,
    outer: AnyMiddleware,
    inner: AnyMiddleware,
    handler: Handler<Source, Event> | string,
    ...options: Options
  ): Self;
  <Event extends EventName<Source>>(
    event: Event,
    middleware: AnyMiddleware,
    handler: Handler<Source, Event> | string,
    ...options: Options
  ): Self;
  /** More middleware, or functions with a more specific context. */
  <Event extends EventName<Source>>(event: Event, ...parts: RouteArguments<SpecificMiddleware, AnyHandlerOf<Source, Event>>): Self;
}

/**
 * Signatures that come last, since the compiler explains by the last one why it refuses a call. They accept nothing that those before them do not.
 */
interface Explanation<Self, Source extends EventSource> {
  <Event extends EventName<Source>>(event: Event, handler: Handler<Source, Event> | string): Self;
  <Event extends EventName<Source>>(event: Event, middleware: AnyMiddleware, handler: Handler<Source, Event> | string): Self;
  <Event extends EventName<Source>>(
    event: Event,
    outer: AnyMiddleware,
    inner: AnyMiddleware,
    handler: Handler<Source, Event> | string,
  ): Self;
}

/** Also a handler with Egg's own context, and, for events that are not declared, with any. */
type AnyHandlerOf<Source extends EventSource, Event extends EventName<Source>> =
  string extends EventName<Source>
    ? SpecificHandler
    : Event extends keyof OwnEvents
      ? SpecificHandler
      : Handler<Source, Event> | ((this: Context, ctx: Context) => HandlerResult<Source, Event>) | (Handler & AnyController);

/** The method `routeUnmatched()`. Its arguments are those of `route()`, without the event. */
export interface AddUnmatchedRoute<Self> {
  (outer: MiddlewareOrName, middle: MiddlewareOrName, inner: MiddlewareOrName, handler: Handler | string, ...options: Options): Self;
  (outer: MiddlewareOrName, inner: MiddlewareOrName, handler: Handler | string, ...options: Options): Self;
  (middleware: MiddlewareOrName, handler: Handler | string, ...options: Options): Self;
  (handler: Handler | string, ...options: Options): Self;
  (...parts: RouteArguments<SpecificMiddleware, SpecificHandler>): Self;
}

/** Middleware of a route, functions or names, then its handler, then options if there are any. */
export type RouteArguments<RouteMiddleware, RouteHandler> = [
  ...middleware: (RouteMiddleware | string)[],
  handler: RouteHandler | string,
  ...options: Options,
];

export interface RouteOptions {
  /**
   * Whether to acknowledge always when the handler has ended: with the returned value, or null for undefined. A call of `ctx.ack()` in the
   * handler takes precedence. Default: false, no acknowledgement for undefined.
   */
  acknowledge?: boolean;
  /**
   * Finds the key of an event: a number, or a string of 1 to 200 characters, such as the id of an order. The handler runs once for each key, however
   * often the event is sent, and on whichever worker it arrives; each retry gets the first answer, or the first error. A key counts within
   * the namespace, the event and the user of the connection (`ctx.socket.user`). Such a route acknowledges always, as with `acknowledge: true`.
   * Middleware, also that of the route, runs for each retry. Default: none.
   *
   * @example app.io.route('pay', app.io.controller.shop.pay, { idempotencyKey: (ctx: PacketContext<'/', 'pay'>) => ctx.args[0].order });
   */
  idempotencyKey?(ctx: AnyPacketContext): unknown;
}

/** Middleware of a route: a function, or the name of a file in `app/io/middleware`. */
type MiddlewareOrName = Middleware | string;

/** The same, with any context. */
type AnyMiddleware = SpecificMiddleware | string;

/** In place of an optional parameter, which accepts undefined. */
type Options = [] | [options: RouteOptions];
