/** Counts by key in fixed times, by rate-limiter-flexible: in memory, and where several processes count together. */
import { appPackage } from '../app-package';

/** How many of a key may come in a time. */
export interface Rate {
  /** Begins the keys in a common store. */
  readonly name: string;
  readonly points: number;
  /** In s. */
  readonly duration: number;
}

export interface Rates {
  /** Counts some of a key. Resolves with the time in ms for which there have been too many: 0 if there have not. Rejects if the store cannot be reached. */
  consume(key: string, points: number): Promise<number>;
}

interface Limiter {
  /** Rejects with an object that has `msBeforeNext` if there are too many, and with an Error if the store cannot be reached. */
  consume(key: string, points: number): Promise<unknown>;
}

/** A client as the limiter for Redis sees it: a script that is defined becomes a method. */
interface ScriptClient {
  defineCommand(name: string, script: { lua: string }): void;
  rlflxIncr(args: readonly string[]): Promise<unknown>;
}

/** Runs a script with one key in Redis. */
export type RunScript = (script: string, key: string, args: readonly string[]) => Promise<unknown>;

/** The part of the package that is used here. */
export interface RateLimiterPackage {
  readonly RateLimiterMemory: new (options: { points: number; duration: number }) => Limiter;
  readonly RateLimiterRedis: new (options: { points: number; duration: number; keyPrefix: string; storeClient: ScriptClient }) => Limiter;
}

/** @throws SetupError if the app has not installed the package */
export function loadRateLimiter(baseDir: string): RateLimiterPackage {
  const needed = { option: 'config.io.limits.perAddress', code: 'IO_RATE_LIMITER_MISSING' } as const;
  return appPackage<RateLimiterPackage>(baseDir, 'rate-limiter-flexible', needed).exported;
}

export function memoryRates({ RateLimiterMemory }: RateLimiterPackage, { points, duration }: Rate): Rates {
  return ratesBy(new RateLimiterMemory({ points, duration }));
}

export function redisRates({ RateLimiterRedis }: RateLimiterPackage, { name, points, duration }: Rate, run: RunScript): Rates {
  let script = '';
  const storeClient: ScriptClient = {
    defineCommand: (_name, { lua }) => (script = lua),
    rlflxIncr: async ([key = '', ...args]) => run(script, key, args),
  };
  return ratesBy(new RateLimiterRedis({ points, duration, keyPrefix: name, storeClient }));
}

function ratesBy(limiter: Limiter): Rates {
  return {
    async consume(key, points) {
      try {
        await limiter.consume(key, points);
        return 0;
      } catch (reason) {
        if (reason instanceof Error) throw reason;
        return Math.max(1, (reason as { msBeforeNext: number }).msBeforeNext); // a RateLimiterRes
      }
    },
  };
}
