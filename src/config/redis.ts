/** `config.io.redis`: how to reach Redis. */
import { messageOf, SetupError } from '../errors';
import type { RedisConfig } from './options';
import { otherPlaceOf, unknownOption } from './places';
import { invalid, isSet, objectAt } from './readers';
import { REDIS_OPTIONS } from './tables';

/** @param eggRedis `config.redis`, of egg-redis or @eggjs/redis */
export function readRedis(value: unknown, eggRedis: unknown, warn: (message: string) => void): RedisConfig {
  const redis = complete(value, eggRedis);
  for (const key of ['port', 'db']) if (typeof redis[key] === 'string' && /^\d+$/.test(redis[key])) redis[key] = Number(redis[key]); // of process.env
  for (const [key, read] of Object.entries(REDIS_OPTIONS)) {
    if (isSet(redis[key])) redis[key] = read(`config.io.redis.${key}`, redis[key]);
    else delete redis[key];
  }
  for (const key of Object.keys(redis))
    // other options are those of ioredis
    if (otherPlaceOf('config.io.redis', key)?.startsWith('config.io.adapter.')) warn(unknownOption('config.io.redis', key));
  for (const key of ['pubClient', 'subClient']) {
    if (isSet(redis[key]))
      throw new SetupError('IO_CONFIG_REMOVED', `config.io.redis.${key}: give host and port, and the plugin creates its own clients`);
  }
  dropSocketTimeout(redis, 'config.io.redis', warn);
  if (isSet(redis['redisOptions'])) {
    redis['redisOptions'] = { ...objectAt('config.io.redis.redisOptions', redis['redisOptions']) };
    dropSocketTimeout(redis['redisOptions'] as Record<string, unknown>, 'config.io.redis.redisOptions', warn); // made just now
  }
  const { nodes, cluster = nodes !== undefined, sentinels, name } = redis as RedisConfig; // their types are checked below
  if (isSet(sentinels)) {
    serversAt('config.io.redis.sentinels', sentinels);
    if (typeof name !== 'string') invalid('config.io.redis.name', "the sentinels' name of the master");
  }
  if (cluster) serversAt('config.io.redis.nodes', nodes);
  else delete redis['nodes'];
  return redis;
}

/** Removes an option of ioredis: its timer outlives the connection, and closes the next one. Only warns, since the app's other clients may need it. */
function dropSocketTimeout(options: Record<string, unknown>, place: string, warn: (message: string) => void): void {
  if (!isSet(options['socketTimeout'])) return;
  delete options['socketTimeout'];
  const problem = `${place}.socketTimeout is not used: the plugin itself replaces connections that do not answer, within 2 s; remove it`;
  warn(messageOf('IO_CONFIG_UNKNOWN_KEY', problem));
}

/** The given options, together with those of a URL or of a client of egg-redis. */
function complete(value: unknown, eggRedis: unknown): Record<string, unknown> {
  if (value === true) return ofClient(true, eggRedis);
  if (typeof value === 'string') return value.includes('://') ? ofUrl(value) : ofClient(value, eggRedis);
  const { use, url, ...given } = objectAt('config.io.redis', value, 'options, a URL, the name of a client in config.redis, or true');
  if (isSet(use) && use !== true && typeof use !== 'string') invalid('config.io.redis.use', 'a name or true', use);
  if (isSet(url) && typeof url !== 'string') invalid('config.io.redis.url', 'a string', url);
  return {
    ...(use === true || typeof use === 'string' ? ofClient(use, eggRedis) : {}),
    ...(typeof url === 'string' ? ofUrl(url) : {}),
    ...modern(given),
  };
}

/** Translates option names of the Redis client in Socket.IO 2's adapter into those of ioredis. */
function modern({ connect_timeout, no_ready_check, family, ...redis }: Record<string, unknown>): Record<string, unknown> {
  return {
    ...(isSet(connect_timeout) && { connectTimeout: connect_timeout }),
    ...(isSet(no_ready_check) && { enableReadyCheck: !no_ready_check }),
    ...(isSet(family) && { family: family === 'IPv6' ? 6 : family === 'IPv4' ? 4 : family }),
    ...redis,
  };
}

function ofUrl(text: string): Record<string, unknown> {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const db = url?.pathname.slice(1) ?? '';
  if (!url || !['redis:', 'rediss:'].includes(url.protocol) || url.hostname === '' || !/^\d*$/.test(db))
    throw new SetupError(
      'IO_CONFIG_INVALID',
      'config.io.redis must be a URL like redis://user:password@host:6379/0, or rediss:// with TLS',
    );
  return {
    host: url.hostname.replaceAll(/^\[|\]$/g, ''), // of an IPv6 address
    ...(url.port !== '' && { port: Number(url.port) }),
    ...(url.username !== '' && { username: decodeURIComponent(url.username) }),
    ...(url.password !== '' && { password: decodeURIComponent(url.password) }),
    ...(db !== '' && { db: Number(db) }),
    ...(url.protocol === 'rediss:' && { tls: {} }),
  };
}

/** The options of a client in `config.redis`. The plugin opens connections of its own with them. */
function ofClient(name: string | true, eggRedis: unknown): Record<string, unknown> {
  const wanted = name === true ? 'config.io.redis is true' : `config.io.redis names the client '${name}'`;
  const unknown = (problem: string): never => {
    throw new SetupError('IO_REDIS_CLIENT_UNKNOWN', `${wanted}, ${problem}`);
  };
  if (!isSet(eggRedis))
    return unknown('but there is no config.redis: enable egg-redis or @eggjs/redis and configure it, or give host and port');
  const { client, clients, default: common } = objectAt('config.redis', eggRedis);
  const byName = isSet(clients) ? objectAt('config.redis.clients', clients) : {};
  const names = Object.keys(byName);
  const list = names.length > 0 ? names.join(', ') : 'none';
  let found: unknown;
  if (name === true) {
    found = client ?? (names.length === 1 ? byName[names[0] ?? ''] : undefined);
    if (!isSet(found)) return unknown(`which needs exactly one client in config.redis; its clients are: ${list}. Name one`);
  } else {
    found = Object.hasOwn(byName, name) ? byName[name] : undefined;
    if (!isSet(found)) {
      const only = isSet(client) ? '; config.redis has one client, without a name: write true' : '';
      return unknown(`which is not in config.redis.clients; its clients are: ${list}${only}`);
    }
  }
  return { ...(isSet(common) && objectAt('config.redis.default', common)), ...objectAt('the client in config.redis', found) };
}

function serversAt(place: string, value: unknown): void {
  const wanted = "an array of servers, such as [{ host: '10.0.0.1', port: 6379 }]";
  if (!Array.isArray(value) || value.length === 0) invalid(place, wanted, value);
  for (const server of value as unknown[]) {
    const { host, port } = objectAt(place, server, wanted);
    if (isSet(host) && typeof host !== 'string') invalid(place, wanted);
    if (isSet(port) && typeof port !== 'number') invalid(place, wanted);
  }
}
