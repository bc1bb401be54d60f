/** `ctx.signal`: what a handler waits for can end when nobody wants its result any more. */
import { ClientGoneError } from '../errors';

/** The part of a connection that is used here. */
export interface SignalOwner {
  /** Whether the client has gone, or is about to be sent away. */
  readonly isGone: boolean;
  /** The signals that abort when the client goes. Set with the first one. */
  signals: Set<AbortController> | undefined;
}

/** Undefined before the first access, and null if that comes when the client's going does not matter. */
export const SIGNAL = Symbol('signal');

/** The part of a context that is used here. */
interface Signaling {
  [SIGNAL]: AbortController | null | undefined;
}

/**
 * Adds `ctx.signal` to the prototype of contexts. Each context has its own, created on first access: if the packets of a client shared one, the
 * listeners that they add would stay for as long as the client.
 */
export function addSignal<Ctx extends Signaling>(prototype: Ctx, ownerOf: (ctx: Ctx) => SignalOwner): void {
  const member: PropertyDescriptor & ThisType<Ctx> = {
    configurable: true,
    get() {
      if (this[SIGNAL]) return this[SIGNAL].signal;
      const controller = new AbortController();
      if (this[SIGNAL] === undefined) follow(ownerOf(this), controller);
      this[SIGNAL] = controller;
      return controller.signal;
    },
    set(value: unknown) {
      Object.defineProperty(this, 'signal', { value, writable: true, enumerable: true, configurable: true }); // an app may have its own
    },
  };
  Object.defineProperty(prototype, 'signal', member);
}

function follow(owner: SignalOwner, controller: AbortController): void {
  if (owner.isGone) controller.abort(goneError());
  else (owner.signals ??= new Set()).add(controller);
}

/** Lets a signal outlive the client: that of a packet that has settled, and of work that has to end in any case. */
export function releaseSignal(ctx: Signaling, owner: SignalOwner): void {
  if (ctx[SIGNAL]) owner.signals?.delete(ctx[SIGNAL]);
  else ctx[SIGNAL] = null;
}

/** Aborts the signal of one context, also for a later access. */
export function abortSignal(ctx: Signaling, reason: Error): void {
  (ctx[SIGNAL] ??= new AbortController()).abort(reason);
}

/** To be called when the client has gone. @param reason default: a `ClientGoneError` */
export function abortSignals(owner: SignalOwner, reason?: Error): void {
  const { signals } = owner;
  if (!signals) return;
  owner.signals = undefined;
  const why = reason ?? goneError();
  for (const controller of signals) controller.abort(why);
}

function goneError(): ClientGoneError {
  return new ClientGoneError('the client has disconnected');
}
