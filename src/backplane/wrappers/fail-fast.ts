/** Makes questions to other servers fail at once if these are unreachable. */
import { setTimeout as wait } from 'node:timers/promises';
import type { Adapter, BroadcastOptions } from 'socket.io-adapter';
import { refusalIn } from '../answer';
import { toError } from '../../thrown';
import type { PulsedBackplane } from '../pulsed-backplane';

/** Time to count the servers, in ms: all nodes of a Cluster are asked. */
const COUNT_TIMEOUT = 800;
/** Time for which a count is reused, in ms. */
const COUNT_LIFETIME = 20;

type Callback = (error: Error | null, responses?: unknown[]) => void;

/**
 * Makes questions to other servers fail if these are unreachable. Otherwise they would hang, or cause unhandled rejections.
 * @param timeout time for the answers in ms, if the adapter does not set it itself
 */
export function failFast(adapter: Adapter, backplane: PulsedBackplane, timeout?: number): void {
  const base = {
    fetchSockets: adapter.fetchSockets.bind(adapter),
    serverCount: adapter.serverCount.bind(adapter),
    serverSideEmit: adapter.serverSideEmit.bind(adapter),
  };
  let recent: { readonly count: number; readonly until: number } | undefined;
  /** Counts the servers. The adapter counts again for the question that follows, and gets the same count. */
  const countServers = async (): Promise<number> => {
    if (recent && performance.now() < recent.until) return recent.count;
    // a server that has not reconnected yet would not be counted, so that its answer would not be missed
    if (backplane.returnTime > 0) await wait(backplane.returnTime, undefined, { ref: false });
    if (!backplane.isReachable) throw backplane.error();
    const late = new AbortController();
    const count = await Promise.race([
      base.serverCount(),
      wait(COUNT_TIMEOUT, undefined, { signal: late.signal }).then(() => {
        throw new Error(`the servers could not be counted in ${COUNT_TIMEOUT} ms`);
      }),
    ]).finally(() => late.abort());
    recent = { count, until: performance.now() + COUNT_LIFETIME };
    return count;
  };
  /** Counts the servers before it asks them: if that fails, they cannot be asked either. */
  const ask = <Answer>(question: () => Promise<Answer>): Promise<Answer> =>
    backplane.ask(async () => {
      await countServers().catch((cause: unknown) => {
        throw backplane.error(cause);
      });
      return question();
    });
  Object.assign(adapter, {
    fetchSockets(opts: BroadcastOptions): Promise<unknown[]> {
      if (opts.flags?.local) return base.fetchSockets(opts);
      return ask(() => base.fetchSockets(timeout === undefined ? opts : { ...opts, flags: { timeout, ...opts.flags } }));
    },
    /** Never rejects, since Socket.IO would not catch it. A broadcast with acknowledgements then ends only by its time-out. */
    serverCount: (): Promise<number> => countServers().catch(() => Number.POSITIVE_INFINITY),
    serverSideEmit(args: unknown[]): Promise<void> | void {
      const callback = args.at(-1);
      if (typeof callback !== 'function') return base.serverSideEmit(args);
      const answer = callback as Callback; // added by Socket.IO
      return ask(
        () =>
          new Promise<unknown[] | undefined>((resolve, reject) => {
            const done: Callback = (late, responses) => {
              const error = late ?? refusalIn(responses);
              if (error) reject(Object.assign(error, { responses }));
              else resolve(responses);
            };
            args[args.length - 1] = done; // the same array, since the encoded arguments are stored for it
            Promise.resolve(base.serverSideEmit(args)).catch(reject);
          }),
      ).then(
        responses => answer(null, responses),
        (error: unknown) => answer(toError(error), (error as { responses?: unknown[] }).responses ?? []), // added above
      );
    },
  });
}
