/** Reads `config.io.adapter`. */
import type { Namespace } from 'socket.io';
import type { Adapter } from 'socket.io-adapter';
import { SetupError } from '../errors';
import { nearest } from '../nearest';
import type { AdapterFactory, AdapterName, RedisConfig } from './options';
import { didYouMean } from './places';
import { functionAt, isSet, objectAt, type Reader } from './readers';
import { readRedis } from './redis';
import { ADAPTERS, REDIS_OPTIONS, REQUIRED } from './tables';

/** `config.io.adapter`, checked and complete. */
export type AdapterSettings = OwnAdapterSettings | RedisSettings | DatabaseSettings;

/** An adapter of the app's own, from `config.io.adapter` or `config.io.init.adapter`. */
interface OwnAdapterSettings {
  readonly name: 'own';
  readonly create: AdapterFactory;
}

export interface RedisSettings {
  readonly name: 'redis' | 'redis-sharded' | 'redis-streams';
  readonly options: AdapterOptions;
  readonly redis: RedisConfig;
}

export interface DatabaseSettings {
  readonly name: 'mongo' | 'postgres';
  readonly options: AdapterOptions;
}

type AdapterOptions = Readonly<Record<string, unknown>> & { readonly requestsTimeout?: number; readonly interop?: boolean };

type AdapterClass = new (nsp: Namespace) => Adapter;

interface Given {
  /** `config.io.adapter` */
  readonly adapter: unknown;
  /** `config.io.init.adapter`: Socket.IO's own option. */
  readonly initAdapter: unknown;
  /** `config.io.redis` */
  readonly redis: unknown;
  /** `config.io.init.parser` */
  readonly parser: unknown;
}

/** @param eggRedis `config.redis`, of egg-redis or @eggjs/redis */
export function readAdapter(
  { adapter, initAdapter, redis, parser }: Given,
  eggRedis: unknown,
  warn: (message: string) => void,
): AdapterSettings | undefined {
  const withoutRedis = (user: string): void => {
    if (isSet(redis)) throw new SetupError('IO_CONFIG_INVALID', `config.io.redis has no effect with ${user}; remove one of the two`);
  };
  if (isSet(initAdapter)) {
    for (const [key, value] of Object.entries({ adapter, redis }))
      if (isSet(value)) throw new SetupError('IO_CONFIG_INVALID', `config.io.${key} and config.io.init.adapter are both set; keep one`);
    return { name: 'own', create: toFactory(functionAt('config.io.init.adapter', initAdapter)) };
  }
  if (!isSet(adapter)) return isSet(redis) ? { name: 'redis', options: {}, redis: readRedis(redis, eggRedis, warn) } : undefined;
  if (typeof adapter === 'function') {
    withoutRedis('a config.io.adapter of your own');
    return { name: 'own', create: toFactory(functionAt('config.io.adapter', adapter)) };
  }
  const { name, ...given } =
    typeof adapter === 'string'
      ? { name: adapter }
      : objectAt('config.io.adapter', adapter, 'the name of an adapter, an object with its name and options, or a function');
  if (!isAdapterName(name)) {
    const names = Object.keys(ADAPTERS);
    const guess = typeof name === 'string' ? nearest(name, names) : undefined;
    const problem = `config.io.adapter ${typeof name === 'string' ? `names '${name}', which is unknown` : 'has no name'}; use ${names.join(', ')} or a function.${guess === undefined ? '' : ` Did you mean ${guess}?`}`;
    throw new SetupError('IO_ADAPTER_UNKNOWN', problem);
  }
  const options = readAdapterOptions(name, isSet(parser) ? { ...given, onlyPlaintext: undefined } : given); // a parser may make bytes of any value
  if (name === 'mongo' || name === 'postgres') {
    withoutRedis(`the adapter ${name}`);
    return { name, options };
  }
  const settings = { name, options, redis: readRedis(redis ?? {}, eggRedis, warn) };
  checkCluster(settings);
  return settings;
}

/** Socket.IO's type for an adapter is a class, but its documentation has functions too. */
function toFactory(own: AdapterFactory | AdapterClass): AdapterFactory {
  if (own.prototype === undefined) return own as AdapterFactory; // an arrow function
  return nsp => new (own as AdapterClass)(nsp); // a class, or a function, whose returned adapter `new` returns too
}

function isAdapterName(name: unknown): name is AdapterName {
  return typeof name === 'string' && Object.hasOwn(ADAPTERS, name);
}

function readAdapterOptions(name: AdapterName, given: Record<string, unknown>): AdapterOptions {
  const readers: Readonly<Record<string, Reader<unknown>>> = ADAPTERS[name];
  const options: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(given)) {
    if (!isSet(value)) continue;
    const place = `config.io.adapter.${key}`;
    const read = Object.hasOwn(readers, key) ? readers[key] : undefined;
    if (!read) throw new SetupError('IO_CONFIG_INVALID', `${place} ${whyUnknown(name, key, Object.keys(readers))}`);
    options[key] = read(place, value);
  }
  for (const key of REQUIRED[name]) {
    if (options[key] === undefined) throw new SetupError('IO_CONFIG_INVALID', `config.io.adapter.${key} is missing: ${name} needs it`);
  }
  return options;
}

function whyUnknown(name: AdapterName, key: string, known: readonly string[]): string {
  const owner = Object.entries(ADAPTERS).find(([, options]) => Object.hasOwn(options, key))?.[0];
  if (owner !== undefined) return `is an option of ${owner}; ${name} has ${known.join(', ')}`;
  if (name.startsWith('redis') && (Object.hasOwn(REDIS_OPTIONS, key) || ['sentinels', 'tls', 'nodes'].includes(key)))
    return 'belongs in config.io.redis';
  return `is not an option of ${name}${didYouMean(nearest(key, known), known)}`;
}

function checkCluster({ name, redis: { nodes, db } }: RedisSettings): void {
  if (name === 'redis-streams' && nodes && db)
    throw new SetupError('IO_CONFIG_INVALID', 'config.io.redis.db: a Redis Cluster has no databases; set config.io.redis.key instead');
  if (name === 'redis-sharded' && nodes)
    throw new SetupError(
      'IO_CONFIG_INVALID',
      "config.io.adapter 'redis-sharded' does not support a Redis Cluster: its client loses subscriptions in the failover of a master; use 'redis', or a Redis without Cluster",
    );
}
