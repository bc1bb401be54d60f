/** When other servers were last heard of, for the adapters that count them by their heartbeats. */
import type { Adapter } from 'socket.io-adapter';
import { heartbeatInternals } from '../internals/adapters';

/**
 * The adapter compares `Date.now()` with the time at which it has last heard of another server. If the clock is set ahead, it forgets servers that
 * are there, and questions end without their answers; if it is set back, it waits for servers that have gone. Here, nobody sets the clock.
 */
export function ignoreClock<A extends Adapter>(adapter: A): A {
  heartbeatInternals(adapter).nodesMap = new LastHeard();
  return adapter;
}

/** By the id of a server. The times are kept by a clock that nobody sets, and read as times of the system's clock. */
class LastHeard extends Map<string, number> {
  /** Does not use the time that the adapter gives. */
  override set(id: string): this {
    return super.set(id, performance.now());
  }

  override forEach(callback: (time: number, id: string, map: this) => void): void {
    const difference = Date.now() - performance.now();
    super.forEach((time, id) => callback(time + difference, id, this));
  }
}
