/** What processes count together: by the agent for the workers of one machine, by Redis for several machines. */
import type { Backplane } from '../backplane/backplane';
import type { Logger } from '../egg';
import { messageOf, oneLine } from '../errors';
import type { AddressLimits } from '../limits/address-limits';
import { loadRateLimiter, memoryRates, type Rate, type RateLimiterPackage, type Rates, redisRates } from '../limits/rates';
import { toError } from '../thrown';
import type { Hub } from './hub/hub';
import { HubBackplane } from './hub/hub-backplane';

/** The kind of questions to the agent. */
const KIND = 'rates';

interface Request {
  readonly rate: Rate;
  readonly key: string;
  readonly points: number;
}

/** Makes the limits of addresses count together with other processes, where these have a common place. */
export function shareRates(addresses: AddressLimits | undefined, backplane: Backplane | undefined, logger: Logger): void {
  if (!addresses || !backplane) return;
  addresses.share((rate, own) => {
    const shared = sharedRates(addresses.package, rate, backplane);
    return shared ? orOwn(shared, own, logger) : own;
  });
}

/** To be called in the agent. */
export function keepRates(hub: Hub, baseDir: string): void {
  const kept = new Map<string, Rates>();
  hub.answer(KIND, async asked => {
    const { rate, key, points } = asked as Request; // written below, in a worker
    let rates = kept.get(rate.name);
    if (!rates) kept.set(rate.name, (rates = memoryRates(loadRateLimiter(baseDir), rate)));
    return rates.consume(key, points);
  });
}

function sharedRates(rateLimiter: RateLimiterPackage, rate: Rate, backplane: Backplane): Rates | undefined {
  if (backplane instanceof HubBackplane) {
    const ask = async (request: Request): Promise<number> => (await backplane.agent.ask(KIND, request)) as number; // of the function above
    return { consume: async (key, points) => ask({ rate, key, points }) };
  }
  const { runScript } = backplane.kept;
  return runScript && redisRates(rateLimiter, rate, runScript);
}

/**
 * Counts in this process while the others cannot be reached: nobody is refused for an outage. Then one count at a time is tried with the others,
 * and nobody waits for it: a process that hangs may take seconds to fail.
 */
function orOwn(shared: Rates, own: Rates, logger: Logger): Rates {
  let isApart = false;
  let isTrying = false;

  /** Undefined if the others cannot be reached. Never rejects. */
  const countTogether = async (key: string, points: number): Promise<number | undefined> => {
    try {
      const wait = await shared.consume(key, points);
      isApart = false;
      return wait;
    } catch (error) {
      const problem = `addresses are counted in this process alone for now: ${oneLine(toError(error).message)}`;
      if (!isApart) logger.warn(messageOf('IO_ADDRESSES_UNSHARED', problem));
      isApart = true;
      return undefined;
    }
  };

  return {
    async consume(key, points) {
      if (!isApart) return (await countTogether(key, points)) ?? own.consume(key, points);
      if (!isTrying) {
        isTrying = true;
        void countTogether(key, points).then(() => (isTrying = false));
      }
      return own.consume(key, points);
    },
  };
}
