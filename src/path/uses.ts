/** Socket.IO's own middleware: functions that the app passes to `nsp.use()` and `socket.use()`. */
import type { ExtendedError, Namespace, Socket } from 'socket.io';
import { isOfNode, isTemporary, refusalFor } from './error-answers';
import { toError } from '../errors';
import { refusalTo } from './refusal';
import type { Runtime } from './runtime';
import { namespaceInternals } from '../internals/socket-io';

/** A function for `socket.use()`. */
export type SocketUse = Parameters<Socket['use']>[0];

/** Runs the functions of `nsp.use()` in order. */
export type RunUses = (socket: Socket, done: (error?: ExtendedError) => void) => void;

export function runUsesOf(nsp: Namespace): RunUses {
  return namespaceInternals(nsp).run.bind(nsp);
}

/** Makes Socket.IO refuse a client if a function of `nsp.use()` throws or rejects. By default, the client would get no answer. */
export function catchUseErrors(nsp: Namespace, { failures, reveal }: Runtime): void {
  const use = nsp.use.bind(nsp);
  nsp.use = fn =>
    use((socket, next) => {
      let hasAnswered = false;
      const answer: typeof next = error => {
        hasAnswered = true;
        if (!error || isTemporary(error) || !isOfNode(error)) next(error);
        else next(refusalTo(socket, refusalFor(error, reveal))); // hides the message from the client
      };
      const fail = (thrown: unknown): void => {
        const error = toError(thrown);
        if (isTemporary(error) && !hasAnswered) {
          answer(error);
          return;
        }
        failures.log({ level: 'error', what: 'middleware of use() failed', namespace: socket.nsp.name, socket: socket.id, error });
        if (!hasAnswered) answer(refusalTo(socket, refusalFor(error, reveal)));
      };
      (async () => fn(socket, answer))().catch(fail);
    });
}
