/** Questions to other servers that fail at once where these cannot be reached. */
import { setTimeout as wait } from 'node:timers/promises';
import type { Adapter, BroadcastOptions } from 'socket.io-adapter';
import { refusalIn } from '../answer';
import { toError } from '../../errors';
import type { PulsedBackplane } from '../pulsed-backplane';

/** How long it may take to count the servers, in ms: of a Cluster, each node is asked. */
const COUNT_TIMEOUT = 800;
/** How long a count is used again, in ms. */
const COUNT_LIFETIME = 20;

type Callback = (error: Error | null, responses?: unknown[]) => void;

/**
 * Lets questions to other servers fail where these cannot be reached, rather than hang, or reject with nobody to handle it.
 * @param timeout for the answers, in ms, where the adapter does not know it itself
 */
export function failFast(adapter: Adapter, backplane: PulsedBackplane, timeout?: number): void {
  const base = {
    fetchSockets: adapter.fetchSockets.bind(adapter),
    serverCount: adapter.serverCount.bind(adapter),
    serverSideEmit: adapter.serverSideEmit.bind(adapter),
  };
  let recent: { readonly count: number; readonly until: number } | undefined;
  /** The adapter counts them again for the question that follows: it gets the same count. */
  const countServers = async (): Promise<number> => {
    if (recent && performance.now() < recent.until) return recent.count;
    // a server that is not back yet would not be counted, and not be missed
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
  /** Servers that cannot even be counted cannot be asked either. */
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
    /** Socket.IO does not catch a rejection here: a broadcast with acknowledgement then knows no end but its timeout. */
    serverCount: (): Promise<number> => countServers().catch(() => Number.POSITIVE_INFINITY),
    serverSideEmit(args: unknown[]): Promise<void> | void {
      const callback = args.at(-1);
      if (typeof callback !== 'function') return base.serverSideEmit(args);
      const answer = callback as Callback; // Socket.IO's own
      return ask(
        () =>
          new Promise<unknown[] | undefined>((resolve, reject) => {
            const done: Callback = (late, responses) => {
              const error = late ?? refusalIn(responses);
              if (error) reject(Object.assign(error, { responses }));
              else resolve(responses);
            };
            args[args.length - 1] = done; // in place: how these arguments have been encoded is known of the array
            Promise.resolve(base.serverSideEmit(args)).catch(reject);
          }),
      ).then(
        responses => answer(null, responses),
        (error: unknown) => answer(toError(error), (error as { responses?: unknown[] }).responses ?? []), // put there just now
      );
    },
  });
}
