/** What a client that is connecting waits for, and what becomes of it when it waits for too long. */
import { timeoutError } from '../limits/timeout-error';
import type { Arrival } from './arrivals';
import type { Parents } from './parents';
import type { Tracer } from './tracer';

/** @param middleware that which is running. Undefined before the first one */
export function obstacleOf({ parents }: { readonly parents: Parents | undefined }, middleware: string | undefined): Arrival['obstacle'] {
  if (middleware !== undefined) return { problem: `middleware ${middleware} has not ended`, remedy: 'call next(), or throw' };
  if (parents && !parents.isEmpty)
    return { problem: 'the function of a parent namespace has not answered', remedy: 'call its third argument' };
  return { problem: 'the session has not been read', remedy: 'does its store answer?' };
}

/** Sends away a client that cannot finish connecting. It tries again by itself, unless other namespaces use its connection. */
export function postponeLate(arrival: Arrival, ms: number, tracer: Pick<Tracer, 'runIn'> | undefined): void {
  const { problem, remedy } = arrival.obstacle;
  const logged = timeoutError('CONNECT_TIMEOUT', `${problem} after ${ms / 1000} s: ${remedy}`);
  const postpone = (): void => arrival.postpone(logged, timeoutError('CONNECT_TIMEOUT', 'The connection could not be completed in time'));
  // a timer has no span
  if (tracer) tracer.runIn(arrival.socket, postpone);
  else postpone();
}
