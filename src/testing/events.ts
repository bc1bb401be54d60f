/** The types of the events of a client in a test: those that the app declares, or those of a contract. */
import type { Contract, EventsFromClient, EventsToClient } from '../contract/contract';
import type { AckFunction, ClientEvents, ServerEvents } from '../events';

type AnyEvents = Record<string, (...args: unknown[]) => void>;

type FromClient<Source> = [Source] extends [never]
  ? AnyEvents
  : Source extends Contract
    ? EventsFromClient<Source>
    : Source extends keyof ClientEvents
      ? ClientEvents[Source]
      : AnyEvents;

/** What a client may hear. */
export type FromServer<Source> = Functions<
  [Source] extends [never]
    ? AnyEvents
    : Source extends Contract
      ? EventsToClient<Source>
      : Source extends keyof ServerEvents
        ? ServerEvents[Source]
        : AnyEvents
>;

/** Tells the compiler that the members are functions. */
type Functions<Events> = { [Event in keyof Events]: Extract<Events[Event], (...args: never[]) => unknown> };

/** The names of the events that a client may emit. */
export type EventTo<Source> = keyof FromClient<Source> & string;

/** The names of the events that a client may hear. */
export type EventFrom<Source> = keyof FromServer<Source> & string;

type Args<Event> = Event extends (...args: infer List) => unknown ? List : never;

/** The arguments of an event, without the function for its acknowledgement. */
export type ArgsTo<Source, Event extends EventTo<Source>> = Extract<WithoutAck<FromClient<Source>[Event]>, unknown[]>;

type WithoutAck<Event> = [AckFunction<Event>] extends [never]
  ? Args<Event>
  : Args<Event> extends [...infer Head, ((...answer: never[]) => unknown)?]
    ? Head
    : Args<Event>;

/** The acknowledgement of an event, without the error that it may be. */
export type AnswerTo<Source, Event extends EventTo<Source>> =
  AckFunction<FromClient<Source>[Event]> extends (...answer: infer Values) => unknown
    ? Values extends [infer Value, ...unknown[]]
      ? Exclude<Value, { readonly error: { code: string; message: string } }>
      : unknown
    : unknown;
