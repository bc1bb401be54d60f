/** The types of decorators, and what the compiler checks of the classes and methods that have them. */
import type { Contract } from '../contract/contract';
import type { Arguments, ClientEvents, EventArgs, HandlerResult, Received, ReceivedName } from '../events';

/** Of both kinds of decorators: the standard's, and those of `experimentalDecorators`. */
export interface MethodDecorator {
  (target: object, name: string | symbol, descriptor: PropertyDescriptor): void;
  (method: Method, context: ClassMethodDecoratorContext): void;
}

/** Only of public methods: no type tells the others, so `@IoController(contract)` could not check them. */
export interface PublicMethodDecorator {
  <Instance, Name extends keyof Instance>(target: Instance, name: Name, descriptor: PropertyDescriptor): void;
  <Instance, Name extends keyof Instance>(method: Method, context: ClassMethodDecoratorContext<Instance> & { readonly name: Name }): void;
}

export interface MiddlewareDecorator extends MethodDecorator {
  (Class: abstract new (...args: never[]) => object, context?: ClassDecoratorContext): void;
}

/** Only `experimentalDecorators` has these. */
export type ParameterDecorator = (target: object, name: string | symbol | undefined, index: number) => void;
export type PropertyDecorator = (target: object, name: string | symbol) => void;

/** A class whose methods fit the events of their names. */
export type ControllerDecorator<Source> = <Instance extends Fitting<Source, Instance>>(
  Class: abstract new (...args: never[]) => Instance,
  context?: ClassDecoratorContext,
) => void;

/** A method that fits an event. */
export interface EventDecorator<Source, Event> {
  (method: EventMethod<Source, Event>, context: ClassMethodDecoratorContext): void;
  <M extends EventMethod<Source, Event>>(target: object, name: string | symbol, descriptor: TypedPropertyDescriptor<M>): void;
}

/** Of the members with the name of an event, the methods have to fit it. Anything fits if the events are not declared. */
type Fitting<Source, Instance> =
  string extends ReceivedName<DeclaredSource<Source>>
    ? object
    : {
        [Name in keyof Instance & ReceivedName<DeclaredSource<Source>>]: Instance[Name] extends Method
          ? EventMethod<DeclaredSource<Source>, Name>
          : Instance[Name];
      };

/** `never` for a name whose events are not declared. */
type DeclaredSource<Source> = Source extends Contract ? Source : Source extends keyof ClientEvents ? Source : never;

/** Gets the arguments of an event, then whatever is injected, and returns the acknowledgement. */
type EventMethod<Source, Event> = (...args: [...EventArguments<Source, Event>, ...injected: Injected[]]) => HandlerResult<Source, Event>;

/** Without the acknowledgement function. */
type EventArguments<Source, Event> = Source extends Contract
  ? List<EventArgs<Source, Event>>
  : Event extends keyof Received<Source>
    ? WithoutAck<Arguments<Received<Source>[Event]>>
    : unknown[];

type WithoutAck<Args> = Args extends unknown[] ? (Required<Args> extends [...infer Head, Method] ? Head : Args) : never;

type List<Args> = Args extends unknown[] ? Args : never;

type Method = (...args: never[]) => unknown;

// oxlint-disable-next-line typescript/no-explicit-any -- decorators do not tell the compiler what they inject
type Injected = any;
