/** What users write and what they get: handlers, middleware, contexts. */
import type { Context } from 'egg';

/**
 * The events that clients send, by namespace: declare yours and `PacketContext` knows their arguments.
 *
 * @example
 * declare module 'egg-socket.io' {
 *   interface ClientEvents {
 *     '/chat': { say: (text: string) => void };
 *   }
 * }
 * // in a controller
 * async say(ctx: PacketContext<'/chat', 'say'>) {
 *   const [text] = ctx.args; // string
 * }
 */
// an interface, so that apps can add to it
export interface ClientEvents {}

/** The arguments of a declared event, with the acknowledgement function where the client asked for one; `unknown[]` where nothing is declared. */
export type EventArgs<Namespace extends string, Event extends string> = Namespace extends keyof ClientEvents
  ? Event extends keyof ClientEvents[Namespace]
    ? ClientEvents[Namespace][Event] extends (...args: infer Args) => unknown
      ? Args extends [...unknown[], (...answer: never[]) => unknown]
        ? Args // declared the way the official client is, with the acknowledgement at the end
        : [...Args, ack?: Acknowledge]
      : unknown[]
    : unknown[]
  : unknown[];

/** Answers the client's acknowledgement request. The first answer counts, later ones are ignored. */
export type Acknowledge = (...answer: unknown[]) => void;

/** The context of one packet; with a namespace and an event of `ClientEvents`, its arguments have their types. */
export type PacketContext<Namespace extends string = string, Event extends string = string> = Context & {
  args: EventArgs<Namespace, Event>;
};

/**
 * Handles an event. It is called with `this` and its argument both the packet's context (a class controller's method: `this` is the instance).
 *
 * - What it returns or resolves to, if not undefined, is the acknowledgement of a client that asked for one.
 * - What it throws goes to the client as `{ error: { code, message, details? } }` in the acknowledgement,
 *   or as an `error` event where none was asked for, and into the log.
 */
export type Handler = (this: Context, ctx: Context) => unknown;

/** A handler that knows more of its context, as one of `PacketContext<'/chat', 'say'>`. */
export type SpecificHandler = (this: never, ctx: never) => unknown;

/** What routes are added to: a namespace, or the server for its namespace `/`. */
export interface Routes {
  /**
   * Adds a handler for an event that clients send, usually of `app.io.controller`. An event has one; a second one is warned of and ignored.
   *
   * `disconnecting`, `disconnect` (the reason is `ctx.args[0]`) and `error` are fired by the server: packet middleware does not run, and nobody is answered.
   *
   * @param handler usually one of `app.io.controller`, as `app.io.controller.chat.say` or by its name, `'chat.say'`
   * @throws SetupError if the event is no string, the handler no function and no name of one, or an option has a wrong type
   */
  route(event: string, handler: Handler | string, options?: RouteOptions): this;
  route(event: string, handler: SpecificHandler, options?: RouteOptions): this;
}

export interface RouteOptions {
  /**
   * Whether each client that asks for an acknowledgement gets one when the handler has ended: what it returned, or null for undefined.
   * An answer that the handler has given itself, by `ctx.ack()`, counts instead. Default: false, then undefined answers nothing.
   */
  acknowledge?: boolean;
}

/**
 * A function of the onion around a connection or around a packet.
 *
 * Around a connection, what stands before `await next()` runs while the client is connecting, what stands after it when the client has gone.
 * Throwing or returning without `next()` refuses the client. The innermost `next()` resolves with the reason of the
 * disconnect, as the event `disconnect` has it, or with undefined if the client was never connected; an outer one with what the middleware inside
 * returns.
 *
 * Around a packet, without `next()` the packet is dropped. `next()` resolves to what the controller returned.
 */
export type Middleware = (ctx: Context, next: () => Promise<unknown>) => unknown;

/**
 * The files of `app/io/controller` by name, folders nested. egg-ts-helper writes them down here for each app
 * (with the generator that this package's package.json has); you can as well do so by hand.
 *
 * @example
 * import type { IoController } from 'egg-socket.io';
 *
 * declare module 'egg-socket.io' {
 *   interface IoControllers {
 *     chat: IoController<typeof ChatController>;
 *   }
 * }
 */
export interface IoControllers {}

/** The files of `app/io/middleware` by name, folders nested; written down by egg-ts-helper as well. */
export interface IoMiddlewares {}

/** `app.io.controller`: the controllers of the app and its plugins by file and method. Of any name where `IoControllers` says nothing. */
export type Controllers = keyof IoControllers extends never ? AnyController : IoControllers;

/** `app.io.middleware`: the middleware of the app and its plugins by file. Of any name where `IoMiddlewares` says nothing. */
export type Middlewares = keyof IoMiddlewares extends never ? AnyMiddleware : IoMiddlewares;

/** The handlers that a file in `app/io/controller` makes of what it exports: a class, an object, a function, or a factory of one of these. */
export type IoController<Exports> = 0 extends Exports & 1
  ? AnyController // any: egg-ts-helper cannot import a file that has no default export
  : Exports extends abstract new (...args: never[]) => infer Instance
    ? HandlersOf<Instance>
    : Exports extends (...args: never[]) => infer Made
      ? Made extends PromiseLike<unknown>
        ? SpecificHandler
        : IoController<Made>
      : Exports extends object
        ? HandlersOf<Exports>
        : SpecificHandler;

/** One handler a method. What else a class has is left out, and so are members of any name: Egg 4's base class says that it has them. */
type HandlersOf<Instance> = {
  readonly [Name in keyof Instance as string extends Name ? never : Instance[Name] extends AnyFunction ? Name : never]: SpecificHandler;
};

type AnyFunction = (...args: never[]) => unknown;

interface AnyController {
  readonly [name: string]: Handler & AnyController;
}

interface AnyMiddleware {
  readonly [name: string]: Middleware & AnyMiddleware;
}
