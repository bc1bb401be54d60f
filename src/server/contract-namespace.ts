/** The types of `app.io.of(contract)`. */
import type { Context } from 'egg';
import type { DefaultEventsMap, Namespace as SocketIoNamespace, Socket } from 'socket.io';
import type { AckOf, ClientEventName, Contract, DataOf, EmittedEvents, ReceivedEvents } from '../contract/contract';
import type { AnyController, Handler, ContractContext, RouteOptions, SpecificHandler } from '../types';

/** A namespace whose routes, emits, rooms and `fetchSockets()` have the types of a contract. */
export type ContractNamespace<C extends Contract> = SocketIoNamespace<ReceivedEvents<C>, EmittedEvents<C>, DefaultEventsMap, DataOf<C>> &
  ContractRoutes<C>;

/** The server's end of a connection to such a namespace. */
export type ContractSocket<C extends Contract> = Socket<ReceivedEvents<C>, EmittedEvents<C>, DefaultEventsMap, DataOf<C>>;

/** The method `route()` of a namespace with a contract: see `Routes`. */
interface ContractRoutes<C extends Contract> {
  /**
   * Adds a handler for an event of the contract.
   *
   * @param handler usually a controller, such as `app.io.controller.chat.say`, or its name, `'chat.say'`, which is not checked by the compiler
   * @throws SetupError if the contract has no such event, the handler is neither a function nor the name of one, or an option has a wrong type
   */
  route<Event extends ClientEventName<C>>(event: Event, handler: ContractHandler<C, Event>, options?: RouteOptions): this;
  route<Event extends ClientEventName<C>>(event: Event, handler: UntypedHandler<C, Event>, options?: RouteOptions): this;
  route(event: ClientEventName<C>, handler: (Handler & AnyController) | string, options?: RouteOptions): this;
  route(event: ReservedEvent, handler: SpecificHandler | string, options?: RouteOptions): this;
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
