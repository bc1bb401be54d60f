/** What a client that is connecting waits for, as the log tells it. */
import type { Arrival } from './arrivals';
import type { Parents } from './parents';

/** @param middleware that which is running. Undefined before the first one */
export function obstacleOf({ parents }: { readonly parents: Parents | undefined }, middleware: string | undefined): Arrival['obstacle'] {
  if (middleware !== undefined) return { problem: `middleware ${middleware} has not ended`, remedy: 'call next(), or throw' };
  if (parents && !parents.isEmpty)
    return { problem: 'the function of a parent namespace has not answered', remedy: 'call its third argument' };
  return { problem: 'the session has not been read', remedy: 'does its store answer?' };
}
