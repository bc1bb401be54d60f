/** Socket.IO's own middleware: functions that the app passes to `nsp.use()` and `socket.use()`. */
import { type ExtendedError, Namespace, type Socket } from 'socket.io';
import type { SocketContext } from './context';
import { isOfNode, isTemporary, refusalFor } from './error-answers';
import { toError } from '../thrown';
import type { Handlers } from './in-flight';
import type { PacketQueue } from './packet-queue';
import { refusalTo } from './refusal';
import type { Runtime } from './runtime';
import { namespaceInternals } from '../internals/socket-io';

/** The part of a connection that is used here. */
interface Receiver {
  readonly socket: Socket;
  readonly handlers: Handlers;
  readonly queue: PacketQueue | undefined;
  readonly namespace: { readonly runtime: Runtime };
}

/** The part of a namespace that is used here. */
interface Owner {
  readonly runtime: Runtime;
  /** Its name in the log. */
  readonly kind: string;
}

/** The type that Socket.IO has for a packet. */
type Event = [event: string, ...args: unknown[]];

/** A function for `nsp.use()`. */
type NamespaceUse = Parameters<Namespace['use']>[0];

/** A function for `socket.use()`. */
export type SocketUse = Parameters<Socket['use']>[0];

/** Runs the functions of `nsp.use()` in order. */
export function runUses(nsp: Namespace, socket: Socket, done: (error?: ExtendedError) => void): void {
  namespaceInternals(Namespace.prototype as Namespace).run.call(nsp, socket, done); // declared with any
}

/** A function of `nsp.use()` that makes Socket.IO refuse a client if the app's throws or rejects. By default, the client would get no answer. */
export function caughtUse(fn: NamespaceUse, owner: Owner): NamespaceUse {
  const { failures, reveal } = owner.runtime;
  return (socket, next) => {
    let hasAnswered = false;
    const answer: typeof next = error => {
      hasAnswered = true;
      if (!error || isTemporary(error) || !isOfNode(error)) next(error);
      else next(refusalTo({ socket, namespace: owner }, refusalFor(error, reveal))); // hides the message from the client
    };
    const fail = (thrown: unknown): void => {
      const error = toError(thrown);
      if (isTemporary(error) && !hasAnswered) {
        answer(error);
        return;
      }
      const what = 'middleware of use() failed';
      failures.log({ level: 'error', what, namespace: owner.kind, child: socket.nsp.name, socket: socket.id, error });
      if (!hasAnswered) answer(refusalTo({ socket, namespace: owner }, refusalFor(error, reveal)));
    };
    (async () => fn(socket, answer))().catch(fail);
  };
}

/**
 * Runs the app's functions of `socket.use()`, one after the other. As in Socket.IO, one that never calls `next` drops the packet. What they
 * change in the packet changes `ctx.args` too, which middleware may have read or changed before.
 */
export async function runSocketUses(
  ctx: SocketContext,
  { handlers, namespace, queue, socket }: Receiver,
  uses: readonly SocketUse[],
): Promise<void> {
  const { inFlight } = namespace.runtime;
  const packet = ctx.packet as Event; // with an event, since it has been received
  const before = [...packet];
  for (const use of uses) {
    inFlight.end(handlers); // a closing server must not wait for a dropped packet
    let error: Error | undefined;
    try {
      error = await call(use, packet, queue);
    } finally {
      inFlight.begin(handlers);
    }
    if (!error) continue;
    socket._onerror(error); // fires the server's own 'error' event
    throw error;
  }
  if (packet.length !== before.length) ctx.args = packet.slice(1);
  else for (const [index, value] of packet.entries()) if (index > 0 && value !== before[index]) ctx.args[index - 1] = value;
}

/**
 * Resolves when a function has called `next`, with the error that it has given.
 * @param queue where the next packet begins if the function ends without `next`. Should it call it later, this packet goes on in a gap.
 */
async function call(use: SocketUse, packet: Event, queue: PacketQueue | undefined): Promise<Error | undefined> {
  let isDropped = false;
  const error = await new Promise<Error | undefined>((resolve, reject) => {
    let isCalled = false;
    const next = (given?: Error): void => {
      isCalled = true;
      resolve(given);
    };
    const end = (): void => {
      if (isCalled || !queue) return;
      isDropped = true;
      queue.next();
    };
    (async () => use(packet, next))().then(end, reject); // takes both a throw and a rejection
  });
  if (isDropped) await queue?.again();
  return error;
}
