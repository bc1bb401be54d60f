/** The contract of a namespace, as its packets meet it: after all middleware, before controllers and listeners. */
import type { Socket } from 'socket.io';
import { type Checked, validateAll } from '../contract/check';
import type { ClientEventContract, Contract } from '../contract/contract';
import { OutgoingCheck } from '../contract/outgoing';
import { IoError } from '../errors';
import { isError } from '../thrown';
import { isChainable } from './chainable';
import type { SocketContext } from './context';
import { isDropped } from './onion';
import type { Router } from './router';

/** The part of a connection that is used here. */
interface Receiver {
  readonly socket: Socket;
  readonly namespace: { readonly router: Router };
}

interface Declared extends ClientEventContract {
  /** For messages of errors. */
  readonly what: string;
}

export class PacketContract {
  /** Undefined if what the server sends is not to be checked. */
  readonly outgoing: OutgoingCheck | undefined;
  readonly #events = new Map<string, Declared>();
  readonly #answeredByNull = new WeakSet<SocketContext>();
  /** By `ctx.ack()`. Empty if what the server sends is not checked. */
  readonly #answered = new WeakSet<SocketContext>();

  /** @param checkOutgoing whether what the server sends is checked too @param explain whether errors of that have the schemas' messages */
  constructor(contract: Contract, checkOutgoing: boolean, explain: boolean) {
    this.outgoing = checkOutgoing ? new OutgoingCheck(contract, explain) : undefined;
    for (const [event, declared] of Object.entries(contract.client ?? {}))
      this.#events.set(event, { ...declared, what: `event '${event}' of namespace '${contract.namespace}'` });
  }

  /** Whether this event has an acknowledgement: what its handler returns. */
  hasAck(event: unknown): boolean {
    return this.#events.get(String(event))?.ack !== undefined;
  }

  /** Whether the answer to this packet is null, whatever its handler returned. */
  isAnsweredByNull(ctx: SocketContext): boolean {
    return this.#answeredByNull.has(ctx);
  }

  /**
   * Dispatches a packet with the arguments that the schemas return. Returns the handler's value.
   *
   * @param dispatch calls the handler and the listeners
   * @throws IoError (or rejects) if some do not fit, which is the answer to the client
   */
  handle<R extends Receiver>(ctx: SocketContext, receiver: R, dispatch: (ctx: SocketContext, receiver: R) => unknown): unknown {
    const event = String(ctx.packet?.[0]); // a client may send a number, which finds the listeners of its text
    const declared = this.#events.get(event);
    if (!declared) return dispatch(ctx, receiver);
    const { args } = ctx;
    const sent = typeof args.at(-1) === 'function' ? args.slice(0, -1) : args; // without the acknowledgement function
    const checking = validateAll(declared.what, declared.args ?? [], sent);
    if (!(checking instanceof Promise)) {
      this.#accept(ctx, event, declared, checking);
      return dispatch(ctx, receiver);
    }
    return checking.then(checked => {
      this.#accept(ctx, event, declared, checked);
      return dispatch(ctx, receiver);
    });
  }

  /**
   * Checks the value of the handler. To be called when it has ended, before its value is the answer.
   *
   * @returns a promise if the schema is asynchronous
   * @throws TypeError (or rejects) if it does not fit
   */
  checkAnswer(ctx: SocketContext, { socket, namespace }: Receiver, value: unknown): Promise<unknown> | undefined {
    const event = String(ctx.packet?.[0]);
    const declared = this.#events.get(event);
    if (!declared || !ctx.ack || isDropped(ctx)) return undefined;
    const hasRoute = namespace.router.match(event) !== undefined;
    const hasListeners = socket.listenerCount(event) > 0;
    if (!declared.ack) {
      if (hasRoute || hasListeners) this.#answeredByNull.add(ctx); // asked by the official client's `retries`
      return undefined;
    }
    const isGiven = value !== undefined && !isChainable(value);
    if (!isGiven && (!hasRoute || hasListeners || this.#answered.has(ctx))) return undefined; // a listener, or ctx.ack(), answers
    const checking = this.outgoing?.result(event, declared.ack, isGiven ? value : undefined);
    if (!isGiven) this.#answeredByNull.add(ctx); // has no effect if the check fails
    return checking instanceof Promise ? checking : undefined;
  }

  /** @throws IoError if the arguments do not fit */
  #accept(ctx: SocketContext, event: string, declared: Declared, checked: Checked): void {
    const values = validArguments(event, checked, declared, ctx.ack !== undefined);
    this.#checkAck(ctx, event, declared);
    ctx.packet = declared.ack ? [event, ...values, ctx.ack] : [event, ...values]; // what listeners get
    ctx.args = values;
  }

  /** Makes `ctx.ack()` check the answer. */
  #checkAck(ctx: SocketContext, event: string, { ack: schema }: ClientEventContract): void {
    const { ack } = ctx;
    const { outgoing } = this;
    if (!ack || !schema || !outgoing) return; // not checked: a second answer has no effect
    const value = (...answer: unknown[]): void => {
      if (!isError(answer[0])) outgoing.answer(event, schema, answer);
      this.#answered.add(ctx);
      ack(...answer);
    };
    Object.defineProperty(ctx, 'ack', { value, configurable: true });
  }
}

function validArguments(event: string, { values, issues }: Checked, declared: ClientEventContract, isAsked: boolean): unknown[] {
  if (declared.ack && !isAsked) issues.push({ path: [], message: 'This event needs an acknowledgement' });
  if (issues.length === 0) return values;
  throw new IoError('INVALID_ARGUMENT', `Invalid arguments of event '${event}'`, { details: issues });
}
