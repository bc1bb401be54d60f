/** The app's `cors` option: which origins it lists, and a safe form of it for Engine.IO. */
import type { IncomingMessage } from 'node:http';
import type { InitOptions } from '../config/options';
import { hostname } from './hosts';

type CorsOption = NonNullable<InitOptions['cors']>;
type CorsOptions = Extract<NonNullable<InitOptions['cors']>, { origin?: unknown }>;
type AllowedOrigin = CorsOptions['origin'];
type ListedOrigin = Exclude<AllowedOrigin, (...args: never[]) => unknown>;

/** Whether the option lists an origin. Rejects if a function of the app fails. */
export async function isInCors(cors: CorsOption | undefined, origin: string, request: IncomingMessage): Promise<boolean> {
  if (!cors) return false;
  const options = typeof cors === 'function' ? await ask<CorsOptions>(done => cors(request, done)) : cors;
  return options?.origin !== undefined && matches(origin, options.origin);
}

/**
 * The `cors` option for Engine.IO, which derives response headers from it before the origin is checked.
 * In Engine.IO, a function of the app that throws would end the worker; here such a function allows nothing.
 */
export function safeCors(cors: CorsOption): CorsOption {
  if (typeof cors === 'function') {
    return (request, answer) => {
      const options = ask<CorsOptions>(done => cors(request, done));
      options.then(
        options => answer(null, safeOptions(options ?? {})),
        () => answer(null, { origin: false }),
      );
    };
  }
  return safeOptions(cors);
}

function safeOptions(options: CorsOptions): CorsOptions {
  const { origin: decide } = options;
  if (typeof decide !== 'function') return options;
  return {
    ...options,
    origin: (origin, answer) => {
      ask<ListedOrigin>(done => decide(origin, done)).then(
        allowed => answer(null, allowed),
        () => answer(null, false),
      );
    },
  };
}

/** The answer that a function passes to its callback. Rejects if it passes an error or throws. */
async function ask<Answer>(call: (done: (error: Error | null, answer?: Answer) => void) => void): Promise<Answer | undefined> {
  return new Promise((resolve, reject) => call((error, answer) => (error ? reject(error) : resolve(answer))));
}

/** The rules of the `cors` package, except that a wildcard does not match pages without an origin of their own. */
async function matches(origin: string, allowed: NonNullable<AllowedOrigin>): Promise<boolean> {
  if (typeof allowed === 'function') {
    const answer = await ask<ListedOrigin>(done => allowed(origin, done));
    return answer !== undefined && matches(origin, answer);
  }
  if (Array.isArray(allowed)) return (await Promise.all(allowed.map(one => matches(origin, one)))).includes(true);
  if (allowed instanceof RegExp) return new RegExp(allowed.source, allowed.flags.replaceAll(/[gy]/g, '')).test(origin);
  if (allowed === true || allowed === '*') return hostname(origin) !== undefined;
  return allowed === origin;
}
