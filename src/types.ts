/** The public types of handlers, middleware and contexts. */
import type { Context } from 'egg';
import type { DefaultEventsMap, Socket as SocketIoSocket } from 'socket.io';
import type {
  AckOf,
  Data,
  DeclaredData,
  Emitted,
  EventArgs,
  EventName,
  EventSource,
  HandlerResult,
  ParamsOf,
  Received,
  ReceivedName,
} from './events';
import type { GivenUser, SocketUser } from './socket-user';

/** A map of events, as Socket.IO takes it. */
export interface EventsMap {
  // oxlint-disable-next-line typescript/no-explicit-any -- nothing else accepts an interface, which has no index signature
  [event: string]: any;
}

/** The member of sockets that says who the client is. */
export interface HasUser {
  /**
   * The user, with the id as text and the other properties of what was set; frozen. Undefined if nobody has set one.
   *
   * Set it first of all in connection middleware: to the id, or to an object with `id`. `app.io.user(id)` then reaches the connection
   * along with all others of the user. The same id can be set again, with other properties.
   * Undefined and null are nobody. Another value without a valid id, or one that comes after middleware has admitted the client, is only kept, with a warning.
   * @throws TypeError if another id has been set
   */
  get user(): SocketUser | undefined;
  set user(user: GivenUser);
}

/** A client in a namespace. Its type parameters are those of Socket.IO's socket. */
export interface Socket<
  ListenEvents extends EventsMap = DefaultEventsMap,
  EmitEvents extends EventsMap = ListenEvents,
  ServerSideEvents extends EventsMap = DefaultEventsMap,
  SocketData = DeclaredData,
>
  extends SocketIoSocket<ListenEvents, EmitEvents, ServerSideEvents, SocketData>, HasUser {
  /** The address at the other end of the connection. Behind a proxy that is the proxy: use `ctx.ip`. */
  readonly remoteAddress: string;
}

/**
 * The context of one packet. With a namespace of `ClientEvents` or `ServerEvents`, or with a contract, and one of its events, the members of the
 * packet have the types of these.
 *
 * @example async say(ctx: PacketContext<'/chat', 'say'>) {}
 */
export type PacketContext<Source extends EventSource = never, Event extends EventName<Source> = ReceivedName<Source>> = [Source] extends [
  never,
]
  ? Context
  : string extends keyof Emitted<Source>
    ? Context & { args: EventArgs<Source, Event>; params: ParamsOf<Source> } // still Egg's, as long as nothing needs another type for its socket
    : TypedContext<Source, Event>;

/** Egg's context, with the members of the packet in their types. Those of Egg's own type are left out, since they accept any event. */
interface TypedContext<Source extends EventSource, Event> extends OtherMembers {
  /** The client. */
  readonly socket: Socket<Received<Source>, Emitted<Source>, DefaultEventsMap, Data<Source>>;
  /** The parts of the namespace's name, if that is a pattern such as `/room-{id}`. */
  params: ParamsOf<Source>;
  /** The arguments. With a contract, they are validated, as the schemas return them, and without the acknowledgement function. */
  args: EventArgs<Source, Event>;
  /** Acknowledges the packet. A handler that returns the answer need not call it. */
  readonly ack: AckOf<Source, Event>;
}

/** What the contexts of all events have in common. */
export interface AnyPacketContext extends OtherMembers {
  args: unknown[];
}

type OtherMembers = { [Name in keyof Context as Name extends 'socket' | 'params' | 'args' | 'ack' ? never : Name]: Context[Name] };

/**
 * Handles an event. Both `this` and the argument are the packet's context. In a method of a class controller, `this` is the instance.
 *
 * - The returned or resolved value, unless it is undefined, is the acknowledgement if the client asked for one.
 * - An error is logged, and sent to the client: as `{ error: { code, message, details? } }` in the acknowledgement,
 *   or as an `error` event if the client did not ask for one.
 *
 * With a namespace or a contract and an event, it has to return the acknowledgement that is declared.
 */
export type Handler<Source extends EventSource = never, Event extends EventName<Source> = ReceivedName<Source>> = (
  this: PacketContext<Source, Event>,
  ctx: PacketContext<Source, Event>,
) => HandlerResult<Source, Event>;

/** A handler with a more specific context, such as `PacketContext<'/chat', 'say'>`. */
export type SpecificHandler = (this: never, ctx: never) => unknown;

/** Runs what is inside of middleware. `return next(error)` is the same as `throw error`. */
interface Next {
  (): Promise<unknown>;
  (error: Error): Promise<unknown>; // not optional: `promise.then(next)` passes values of any type, which are ignored
}

/**
 * A function that runs around a connection or around a packet.
 *
 * Around a connection, the code before `await next()` runs while the client is connecting, and the code after it when the client has gone.
 * Throwing, or returning without `next()`, refuses the client. The innermost `next()` resolves with the reason of the disconnect, like the
 * event `disconnect`, or with undefined if the client was never connected. An outer one resolves with the value that the inner middleware returns.
 *
 * Around a packet, `next()` resolves with the value that the controller returned. Without `next()`, the packet is dropped.
 *
 * With a namespace or a contract, as in `Middleware<'/chat'>`, `ctx.socket` has the types of its events.
 */
export type Middleware<Source extends EventSource = never> = (ctx: PacketContext<Source>, next: Next) => unknown;

/** Middleware with a more specific context, such as `PacketContext<'/chat', 'say'>`. */
export type SpecificMiddleware = (ctx: never, next: Next) => unknown;

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
