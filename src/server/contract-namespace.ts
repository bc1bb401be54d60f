/** The types of `app.io.of(contract)`. */
import type { Context } from 'egg';
import type { DefaultEventsMap, Namespace as SocketIoNamespace, Socket } from 'socket.io';
import type { AckOf, ClientEventName, Contract, DataOf, EmittedEvents, ReceivedEvents } from '../contract/contract';
import type { AnyController, ContractContext, Handler, SpecificHandler, SpecificMiddleware } from '../types';
import type { AddUnmatchedRoute, MiddlewareOrName, Options, RouteArguments } from './routes';

/** A namespace whose routes, emits, rooms and `fetchSockets()` have the types of a contract. */
export type ContractNamespace<C extends Contract> = SocketIoNamespace<ReceivedEvents<C>, EmittedEvents<C>, DefaultEventsMap, DataOf<C>> &
  ContractRoutes<C>;

/** The server's end of a connection to such a namespace. */
export type ContractSocket<C extends Contract> = Socket<ReceivedEvents<C>, EmittedEvents<C>, DefaultEventsMap, DataOf<C>>;

/** The methods `route()` and `routeUnmatched()` of a namespace with a contract: see `Routes`. The order is that of `AddRoute`. */
interface ContractRoutes<C extends Contract> {
  route<Event extends ClientEventName<C>>(
    event: Event,
    outer: MiddlewareOrName,
    middle: MiddlewareOrName,
    inner: MiddlewareOrName,
    handler: ContractHandler<C, Event>,
    ...options: Options
  ): this;
  route<Event extends ClientEventName<C>>(
    event: Event,
    outer: MiddlewareOrName,
    inner: MiddlewareOrName,
    handler: ContractHandler<C, Event>,
    ...options: Options
  ): this;
  /** Adds a handler for an event of the contract, with middleware that runs around it, after the arguments have been validated. */
  route<Event extends ClientEventName<C>>(
    event: Event,
    middleware: MiddlewareOrName,
    handler: ContractHandler<C, Event>,
    ...options: Options
  ): this;
  /**
   * Adds a handler for an event of the contract.
   *
   * @param handler usually a controller, such as `app.io.controller.chat.say`, or its name, `'chat.say'`, which is not checked by the compiler
   * @throws SetupError if the contract has no such event, the handler is neither a function nor the name of one, or an option has a wrong type
   */
  route<Event extends ClientEventName<C>>(event: Event, handler: ContractHandler<C, Event>, ...options: Options): this;
  route(event: ReservedEvent, ...parts: RouteArguments<SpecificMiddleware, SpecificHandler>): this;
  /** More middleware, or functions with other contexts. */
  route<Event extends ClientEventName<C>>(
    event: Event,
    ...parts: RouteArguments<SpecificMiddleware, ContractHandler<C, Event> | UntypedHandler<C, Event> | (Handler & AnyController)>
  ): this;

  /** Sets the handler of events that have neither a route nor a listener: see `Routes`. */
  readonly routeUnmatched: AddUnmatchedRoute<this>;
}

/** Handles an event of a contract. Returns the acknowledgement, if the event has one. */
export type ContractHandler<C extends Contract, Event extends ClientEventName<C>> = (
  this: ContractContext<C, Event>,
  ctx: ContractContext<C, Event>,
) => HandlerResult<C, Event>;

/** A handler that takes Egg's own context. */
type UntypedHandler<C extends Contract, Event extends ClientEventName<C>> = (this: Context, ctx: Context) => HandlerResult<C, Event>;

type HandlerResult<C extends Contract, Event extends ClientEventName<C>> = [AckOf<C, Event>] extends [never]
  ? unknown
  : AckOf<C, Event> | Promise<AckOf<C, Event>>;

type ReservedEvent = 'disconnecting' | 'disconnect' | 'error';
