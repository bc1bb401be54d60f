/**
 * Contracts: one declaration of a namespace's events for both ends. Apps import it as `egg-socket.io/contract`, in pages too,
 * so neither this file nor what it imports at run time is for servers only.
 */
// Ignored where the client is not installed: an app without one has no use for `ClientSocket`.
/** @ts-ignore */
import type { Socket } from 'socket.io-client';
import type { Reply } from './reply';

export type { Params } from './pattern';
export { type ErrorReply, type Issue, type Reply, ReplyError, unwrap } from './reply';

/**
 * A schema of any library that implements version 1 of [Standard Schema](https://standardschema.dev), such as zod, valibot and arktype.
 * `Input` is what the schema accepts, `Output` what it makes of it.
 */
export interface StandardSchema<Input = unknown, Output = Input> {
  readonly '~standard': {
    readonly version: 1;
    /** The name of the library. */
    readonly vendor: string;
    readonly validate: (value: unknown) => SchemaResult<Output> | Promise<SchemaResult<Output>>;
    /** Exists for the compiler only. */
    readonly types?: { readonly input: Input; readonly output: Output } | undefined;
  };
}

/** The result of a schema: its output, or what is wrong with the value. */
export type SchemaResult<Output> = { readonly value: Output; readonly issues?: undefined } | { readonly issues: readonly SchemaIssue[] };

interface SchemaIssue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/** An event that clients send. */
export interface ClientEventContract {
  /** A schema for each argument. Default: `[]`, no arguments. */
  readonly args?: readonly StandardSchema[];
  /** What the controller returns. With it, clients have to ask for an acknowledgement; without it, they need not. */
  readonly ack?: StandardSchema;
}

/** An event that the server emits. */
export interface ServerEventContract {
  /** A schema for each argument. Default: `[]`, no arguments. */
  readonly args?: readonly StandardSchema[];
}

/** The events and data of one namespace. */
export interface Contract {
  /** The name of the namespace, such as `/chat`. */
  readonly namespace: string;
  /** The events that clients send. Default: none. */
  readonly client?: Readonly<Record<string, ClientEventContract>>;
  /** The events that the server emits. Default: none. */
  readonly server?: Readonly<Record<string, ServerEventContract>>;
  /** The type of `socket.data`, which the server itself sets: it is not checked. Default: an object with any properties. */
  readonly data?: StandardSchema;
}

/**
 * Declares the events of a namespace. Returns its argument, with the types that the server's `app.io.of(contract)` and the client's
 * `ClientSocket<typeof contract>` are inferred from.
 *
 * @example
 * export const chat = defineContract({
 *   namespace: '/chat',
 *   client: { say: { args: [z.string().max(500)], ack: z.object({ delivered: z.boolean() }) } },
 *   server: { said: { args: [z.string(), z.string()] } },
 *   data: z.object({ name: z.string() }),
 * });
 */
export function defineContract<const C extends Contract>(contract: C & Known<C>): C {
  return contract;
}

/** Makes unknown keys an error: the compiler allows these for a type that it infers. */
type Known<C extends Contract> = {
  [Key in Exclude<keyof C, keyof Contract>]: never;
} & {
  client?: { [Event in ClientEventName<C>]: { [Key in Exclude<keyof ClientEventsOf<C>[Event], keyof ClientEventContract>]: never } };
  server?: { [Event in keyof ServerEventsOf<C>]: { [Key in Exclude<keyof ServerEventsOf<C>[Event], keyof ServerEventContract>]: never } };
};

/** What a schema accepts. */
export type InputOf<S> = S extends StandardSchema<infer Input, unknown> ? Input : never;

/** What a schema makes of it. */
export type OutputOf<S> = S extends StandardSchema<unknown, infer Output> ? Output : never;

/** The names of the events that clients send. */
export type ClientEventName<C extends Contract> = keyof ClientEventsOf<C> & string;

/** The arguments of an event that a client sends, as the controller gets them. */
export type ArgsOf<C extends Contract, Event extends ClientEventName<C>> = Outputs<ArgSchemas<ClientEventsOf<C>[Event]>>;

/** What the controller of an event returns. `never` if the event has no acknowledgement. */
export type AckOf<C extends Contract, Event extends ClientEventName<C>> = AckInput<ClientEventsOf<C>[Event]>;

/** The type of `socket.data`. */
export type DataOf<C extends Contract> = C extends { readonly data: infer S extends StandardSchema }
  ? OutputOf<S>
  : Record<string, unknown>;

/**
 * The official client's socket, with the events of a contract.
 *
 * @example const socket: ClientSocket<typeof chat> = io('/chat');
 */
export type ClientSocket<C extends Contract> = TypedTimeout<C> & PlainSocket<C>;

type PlainSocket<C extends Contract> = Socket<EventsToClient<C>, EventsFromClient<C>>;

/** Socket.IO's own types lose the acknowledgement of `socket.timeout(ms).emitWithAck()`: it is `any`. */
interface TypedTimeout<C extends Contract> {
  timeout(timeout: number): Pick<PlainSocket<C>, 'emitWithAck'> & ReturnType<PlainSocket<C>['timeout']>;
}

/** The events that a client may emit, as the official client declares them. */
export type EventsFromClient<C extends Contract> = {
  [Event in ClientEventName<C>]: (
    ...args: Asking<Shortened<Inputs<ArgSchemas<ClientEventsOf<C>[Event]>>>, ClientEventsOf<C>[Event]>
  ) => void;
};

/** The events that a client may listen to, with the event `error` of this plugin, for failures of events without an acknowledgement. */
export type EventsToClient<C extends Contract> = {
  [Event in keyof ServerEventsOf<C> & string]: (...args: List<Inputs<ArgSchemas<ServerEventsOf<C>[Event]>>>) => void;
} & { error: (message: string, failure: { code: string; event: string }) => void };

/** The events that the server emits, as Socket.IO declares them. */
export type EmittedEvents<C extends Contract> = {
  [Event in keyof ServerEventsOf<C> & string]: (...args: List<Shortened<Inputs<ArgSchemas<ServerEventsOf<C>[Event]>>>>) => void;
};

/** The events that the server's own `socket.on()` can listen to. */
export type ReceivedEvents<C extends Contract> = {
  [Event in ClientEventName<C>]: (
    ...args: ClientEventsOf<C>[Event] extends { readonly ack: StandardSchema }
      ? [...ArgsOf<C, Event>, ack: (answer: AckOf<C, Event>) => void]
      : ArgsOf<C, Event>
  ) => void;
};

type ClientEventsOf<C extends Contract> = C extends { readonly client: infer Events } ? Events : unknown;
type ServerEventsOf<C extends Contract> = C extends { readonly server: infer Events } ? Events : unknown;

type ArgSchemas<Event> = Event extends { readonly args: infer Schemas extends readonly StandardSchema[] } ? Schemas : [];
type Inputs<Schemas extends readonly StandardSchema[]> = { -readonly [Index in keyof Schemas]: InputOf<Schemas[Index]> };
type Outputs<Schemas extends readonly StandardSchema[]> = { -readonly [Index in keyof Schemas]: OutputOf<Schemas[Index]> };
type AckInput<Event> = Event extends { readonly ack: infer S extends StandardSchema } ? InputOf<S> : never;

/** Tells the compiler that a type is one of arguments. */
type List<Args> = Args extends unknown[] ? Args : never;

/** The arguments, also without the last ones if these may be undefined. */
type Shortened<Args> = Args | (Args extends [...infer Head, infer Last] ? (undefined extends Last ? Shortened<Head> : never) : never);

/** The arguments, with a callback at the end if the event has an acknowledgement. */
type Asking<Args, Event> = Event extends { readonly ack: infer S extends StandardSchema }
  ? Args extends unknown[]
    ? [...Args, ack: (reply: Reply<InputOf<S>>) => void]
    : never
  : List<Args>;
