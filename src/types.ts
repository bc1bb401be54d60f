/** The public types of handlers, middleware and contexts. */
import type { Context } from 'egg';
import type { DefaultEventsMap, Socket } from 'socket.io';
import type { AckOf, ArgsOf, ClientEventName, Contract, DataOf, EmittedEvents, Params, ReceivedEvents } from './contract/contract';

/**
 * The events that clients send, by namespace. Declare yours to give `ctx.args` of `PacketContext` their types.
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

/** The arguments of a declared event, followed by the acknowledgement function if the client asked for one. `unknown[]` for other events. */
export type EventArgs<Namespace extends string, Event extends string> = Namespace extends keyof ClientEvents
  ? Event extends keyof ClientEvents[Namespace]
    ? ClientEvents[Namespace][Event] extends (...args: infer Args) => unknown
      ? Args extends [...unknown[], (...answer: never[]) => unknown]
        ? Args // declared as for the official client, with the acknowledgement at the end
        : [...Args, ack?: Acknowledge]
      : unknown[]
    : unknown[]
  : unknown[];

/** Acknowledges an event. Only the first call has an effect. */
export type Acknowledge = (...answer: unknown[]) => void;

/**
 * The context of one packet. With a namespace and an event of `ClientEvents`, its arguments have their types. With a contract and one of its
 * events, so have its acknowledgement and its socket.
 *
 * @example async say(ctx: PacketContext<typeof chat, 'say'>) {}
 */
export type PacketContext<
  Namespace extends string | Contract = string,
  Event extends EventName<Namespace> = EventName<Namespace>,
> = Namespace extends Contract
  ? ContractContext<Namespace, Event & ClientEventName<Namespace>>
  : Context & { args: EventArgs<Namespace & string, Event>; params: Params<Namespace & string> };

/** The names of events that clients send: those of a contract, or any string. */
type EventName<Namespace extends string | Contract> = Namespace extends Contract ? ClientEventName<Namespace> : string;

/** Egg's context, with the members of the packet in their types. Those of Egg's own type are left out, since they accept any event. */
export type ContractContext<C extends Contract, Event extends ClientEventName<C>> = {
  [Name in keyof Context as Name extends 'socket' | 'args' | 'ack' | 'params' ? never : Name]: Context[Name];
} & {
  /** The client. */
  readonly socket: Socket<ReceivedEvents<C>, EmittedEvents<C>, DefaultEventsMap, DataOf<C>> & { readonly remoteAddress: string };
  /** The parts of the namespace's name, if the contract is for a pattern such as `/room-{id}`. */
  params: Params<C['namespace']>;
  /** The validated arguments, as the schemas return them, without the acknowledgement function. */
  args: ArgsOf<C, Event>;
  /** Acknowledges the packet. A controller that returns the answer need not call it. */
  readonly ack: [AckOf<C, Event>] extends [never] ? undefined : (answer: AckOf<C, Event>) => void;
};

/**
 * Handles an event. Both `this` and the argument are the packet's context. In a method of a class controller, `this` is the instance.
 *
 * - The returned or resolved value, unless it is undefined, is the acknowledgement if the client asked for one.
 * - An error is logged, and sent to the client: as `{ error: { code, message, details? } }` in the acknowledgement,
 *   or as an `error` event if the client did not ask for one.
 */
export type Handler = (this: Context, ctx: Context) => unknown;

/** A handler with a more specific context, such as `PacketContext<'/chat', 'say'>`. */
export type SpecificHandler = (this: never, ctx: never) => unknown;

/**
 * A function that runs around a connection or around a packet.
 *
 * Around a connection, the code before `await next()` runs while the client is connecting, and the code after it when the client has gone.
 * Throwing, or returning without `next()`, refuses the client. The innermost `next()` resolves with the reason of the disconnect, like the
 * event `disconnect`, or with undefined if the client was never connected. An outer one resolves with the value that the inner middleware returns.
 *
 * Around a packet, `next()` resolves with the value that the controller returned. Without `next()`, the packet is dropped.
 */
export type Middleware = (ctx: Context, next: () => Promise<unknown>) => unknown;

/** Middleware with a more specific context, such as `PacketContext<'/chat', 'say'>`. */
export type SpecificMiddleware = (ctx: never, next: () => Promise<unknown>) => unknown;

/**
 * The files in `app/io/controller` by name, with nested folders. egg-ts-helper declares them for each app,
 * with the generator in this package's package.json; you can also declare them by hand.
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

/** The files in `app/io/middleware` by name, with nested folders; also declared by egg-ts-helper. */
export interface IoMiddlewares {}

/** `app.io.controller`: the controllers of the app and its plugins, by file and method. Accepts any name if `IoControllers` is empty. */
export type Controllers = keyof IoControllers extends never ? AnyController : IoControllers;

/** `app.io.middleware`: the middleware of the app and its plugins, by file. Accepts any name if `IoMiddlewares` is empty. */
export type Middlewares = keyof IoMiddlewares extends never ? AnyMiddleware : IoMiddlewares;

/** The handlers of a file in `app/io/controller`, from the type of its export: a class, an object, a function, or a factory of one of these. */
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

/** One handler for each method. Other members are omitted, and so is the index signature of Egg 4's base class. */
type HandlersOf<Instance> = {
  readonly [Name in keyof Instance as string extends Name ? never : Instance[Name] extends AnyFunction ? Name : never]: Instance[Name];
};

type AnyFunction = (...args: never[]) => unknown;

export interface AnyController {
  readonly [name: string]: Handler & AnyController;
}

interface AnyMiddleware {
  readonly [name: string]: Middleware & AnyMiddleware;
}
