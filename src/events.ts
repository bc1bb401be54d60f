/** The types of the events of a namespace: those that the app declares in open interfaces, or those of a contract. */
import type { DefaultEventsMap, DisconnectReason, Socket } from 'socket.io';
import type { ArgsOf, ClientEventName, Contract, DataOf, EmittedEvents, Params, ReceivedEvents } from './contract/contract';

/**
 * The events that clients send, by namespace, as Socket.IO declares events: a function with the arguments, and at the end the function that takes
 * the acknowledgement, if there is one. Handlers have to return what this takes. If it is optional, they may return nothing.
 *
 * Once the app has declared a namespace here or in `ServerEvents`, the compiler refuses the names of other namespaces, and other events of it.
 *
 * @example
 * declare module 'egg-socket.io' {
 *   interface ClientEvents {
 *     '/chat': { say: (text: string, answer: (result: { delivered: boolean }) => void) => void };
 *   }
 * }
 * // in a controller
 * async say(ctx: PacketContext<'/chat', 'say'>) {
 *   const [text] = ctx.args; // string
 *   return { delivered: text !== '' };
 * }
 */
// interfaces, so that apps can add to them
export interface ClientEvents {}

/**
 * The events that the server emits, by namespace, declared like `ClientEvents`. `app.io.of(name)`, its rooms and `ctx.socket` of `PacketContext`
 * and `Middleware` then emit these only.
 *
 * @example
 * declare module 'egg-socket.io' {
 *   interface ServerEvents {
 *     '/chat': { said: (name: string, text: string) => void };
 *   }
 * }
 */
export interface ServerEvents {}

/** What the app keeps in `socket.data`, in all namespaces. Any value, unless the app declares properties. */
export interface SocketData {}

/** The names of namespaces: any string, until the app declares some. The namespace `/` always exists. */
export type NamespaceName = NamesOf<ClientEvents & ServerEvents>;

type NamesOf<Namespaces, Other = never> = [keyof Namespaces] extends [never] ? string | Other : (keyof Namespaces & string) | '/' | Other;

/** What names the events of a namespace: its name or its contract. `never` stands for any namespace. */
export type EventSource = NamesOf<ClientEvents & ServerEvents, Contract>;

/** The declared namespace that a name means, with or without its leading slash. `never` for a name that the compiler does not know, or if none is declared. */
export type Declared<Name extends string> = string extends Name | NamespaceName
  ? never
  : Matching<Name extends `/${string}` ? Name : `/${Name}`, NamespaceName>;

/** The same name, or the pattern that fits it. */
type Matching<Name extends string, Known extends string> = Name extends Known
  ? Name
  : Known extends unknown // for each of them
    ? Name extends Filled<Known>
      ? Known
      : never
    : never;

/** The names that fit a pattern: `/room-${string}` for `/room-{id}`. */
type Filled<Pattern extends string> = Pattern extends `${infer Head}{${string}}${infer Tail}` ? `${Head}${string}${Filled<Tail>}` : Pattern;

/** A name that can be passed to `of()`. */
export type KnownName<Name extends string> = string extends Name | NamespaceName
  ? Name
  : [Declared<Name>] extends [never]
    ? NamespaceName
    : Name;

/** The events that `socket.on()` listens to. Any, if they are not declared. */
export type Received<Source> = [Source] extends [never]
  ? DefaultEventsMap
  : Source extends Contract
    ? ReceivedEvents<Source>
    : Source extends keyof ClientEvents
      ? ClientEvents[Source]
      : DefaultEventsMap;

/** The events that the server emits. Any, if they are not declared. */
export type Emitted<Source> = [Source] extends [never]
  ? DefaultEventsMap
  : Source extends Contract
    ? EmittedEvents<Source>
    : Source extends keyof ServerEvents
      ? ServerEvents[Source]
      : DefaultEventsMap;

/** The type of `ctx.params`. */
export type ParamsOf<Source> = Source extends Contract ? Params<Source['namespace']> : Source extends string ? Params<Source> : never;

/** The type of `socket.data`. */
export type Data<Source> = [Source] extends [never] ? DeclaredData : Source extends Contract ? DataOf<Source> : DeclaredData;

/** The type of `socket.data` in namespaces without a contract. */
export type DeclaredData = keyof SocketData extends never ? Socket['data'] : SocketData;

/** The events that the server fires itself, when a client leaves or a listener fails. */
export interface OwnEvents {
  disconnecting: (reason: DisconnectReason, description?: unknown) => void;
  disconnect: (reason: DisconnectReason, description?: unknown) => void;
  error: (error: Error) => void;
}

/**
 * The names of the events that can have a handler: those that clients send, and those that the server fires itself. Any string, if they are not
 * declared.
 */
// inferred, since the compiler writes out such a type in errors, instead of a union of keyof
export type EventName<Source> = keyof Received<Source> | keyof OwnEvents extends infer Name ? (Name extends string ? Name : never) : never;

/** The names of the events that clients send. */
export type ReceivedName<Source> = Exclude<EventName<Source>, keyof OwnEvents>;

/** The declaration of an event that can have a handler. */
type Listener<Source, Event> = Event extends keyof Received<Source>
  ? Received<Source>[Event]
  : Event extends keyof OwnEvents
    ? OwnEvents[Event]
    : never;

/**
 * The type of `ctx.args`: the arguments of an event, followed by the acknowledgement function if the client asked for one. With a contract, the
 * validated arguments alone. `unknown[]` for an event that is not declared.
 */
export type EventArgs<Source, Event> = Source extends Contract
  ? Event extends ClientEventName<Source>
    ? ArgsOf<Source, Event>
    : Arguments<Listener<Source, Event>>
  : string extends keyof Received<Source>
    ? unknown[]
    : [AckFunction<Listener<Source, Event>>] extends [never]
      ? [...Arguments<Listener<Source, Event>>, ack?: Acknowledge]
      : Arguments<Listener<Source, Event>>;

export type Arguments<Event> = Event extends (...args: infer Args) => unknown ? Args : never;

/** Acknowledges an event. Only the first call has an effect. */
export type Acknowledge = (...answer: unknown[]) => void;

type AnyFunction = (...args: never[]) => unknown;

/** The acknowledgement function at the end of an event's arguments. `never` if there is none. */
export type AckFunction<Event> =
  Required<Arguments<Event>> extends [...unknown[], infer Last]
    ? 0 extends Last & 1 // any
      ? never
      : Last extends AnyFunction
        ? Last
        : never
    : never;

/** The type of `ctx.ack`. A contract makes sure that the client asks for the acknowledgements that it has. */
export type AckOf<Source, Event> = Source extends Contract
  ? [AckFunction<Listener<Source, Event>>] extends [never]
    ? undefined
    : AckFunction<Listener<Source, Event>>
  : ([AckFunction<Listener<Source, Event>>] extends [never] ? Acknowledge : AckFunction<Listener<Source, Event>>) | undefined;

/**
 * What a handler has to return: what the acknowledgement function takes. Anything, if the event has none, or if that takes several values: then
 * the handler calls it.
 */
export type HandlerResult<Source, Event> = Result<
  Answers<Source>[Event & EventName<Source>] | AnyIfNone<Answers<Source>[Event & EventName<Source>]>
>;

type Result<Value> = Value | Promise<Value>;

/**
 * The acknowledgement of each event; `never` for one that has none, several values, or any value. A table, and `as Event`, since the compiler keeps
 * the literals of handlers, such as `ok: true`, if it finds them in the type of some event before it knows which one it is.
 */
type Answers<Source> = { [Event in EventName<Source> as Event]: OnlyAnswer<Listener<Source, Event>> };

type AnyIfNone<Value> = [Value] extends [never] ? unknown : never;

type OnlyAnswer<Event> =
  AckFunction<Event> extends (...answer: infer Values) => unknown
    ? Values extends [infer Value]
      ? unknown extends Value
        ? never
        : Value | (Arguments<Event> extends [...unknown[], AnyFunction] ? never : void)
      : never
    : never;
