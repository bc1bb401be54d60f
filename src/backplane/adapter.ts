/** How emits reach their sockets: within the process, or across servers by what the config names. */
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { Namespace } from 'socket.io';
import { Adapter, SessionAwareAdapter } from 'socket.io-adapter';
import { endInOutage } from './wrappers/end-in-outage';
import type { Backplane } from './backplane';
import type { AdapterFactory, AdapterSettings, InitOptions } from '../config/settings';
import { type MongoPackage, MongoBackplane, PostgresBackplane, type PostgresPackage } from './database';
import type { Deprecations } from '../deprecations';
import type { Logger } from '../egg';
import { messageOf, SetupError } from '../errors';
import { operatorsOf } from './operators';
import { RecoveringAdapter } from './recovering-adapter';
import { recoverConnections } from './wrappers/recovery';
import { RedisBackplane, type StreamsPackage } from './redis/redis';

/** The backplane to other servers that the config asks for. */
export function createBackplane(
  settings: AdapterSettings | undefined,
  { connectionStateRecovery }: InitOptions,
  logger: Logger,
  baseDir: string,
): Backplane | undefined {
  switch (settings?.name) {
    case 'redis':
    case 'redis-sharded':
      return new RedisBackplane(settings, logger, false);
    case 'redis-streams':
      return new RedisBackplane(
        settings,
        logger,
        connectionStateRecovery !== undefined,
        packageOf<StreamsPackage>(settings.name, baseDir).exported,
      );
    case 'mongo': {
      const { exported, path } = packageOf<MongoPackage>(settings.name, baseDir);
      return new MongoBackplane(settings, logger, exported, path);
    }
    case 'postgres': {
      const { exported, path } = packageOf<PostgresPackage>(settings.name, baseDir);
      return new PostgresBackplane(settings, logger, exported, path);
    }
    case 'own':
    case undefined:
  }
  return undefined;
}

/** What the config asks for; with the old calls of adapters put on. */
export function createAdapterFactory(
  init: InitOptions,
  settings: AdapterSettings | undefined,
  backplane: Backplane | undefined,
  deprecations: Deprecations,
): AdapterFactory {
  const own = settings?.name === 'own' ? settings.create : init.adapter;
  const inMemory = init.connectionStateRecovery ? RecoveringAdapter : Adapter;
  const create = backplane?.createAdapter ?? factoryOf(own ?? inMemory);
  return function (nsp) {
    const adapter = create(nsp);
    if (adapter instanceof RecoveringAdapter || adapter instanceof SessionAwareAdapter) recoverConnections(adapter, nsp);
    const operators = operatorsOf(nsp);
    if (backplane) endInOutage(operators, adapter, backplane);
    deprecations.ofOperators(operators, nsp);
    deprecations.ofAdapter(adapter);
    return adapter;
  };
}

/** Socket.IO types an adapter of one's own as a class only; functions are documented as well. */
function factoryOf(own: AdapterFactory | AdapterClass): AdapterFactory {
  if (own.prototype === undefined) return own as AdapterFactory; // an arrow function
  return nsp => new (own as AdapterClass)(nsp); // a class, or a function that returns the adapter all the same
}

type AdapterClass = new (nsp: Namespace) => Adapter;

/** What is left of the options where the adapter cannot bring back what clients have missed: it would cost something, and do nothing. */
export function dropUnsupportedRecovery(
  { init, adapter }: { init: InitOptions; adapter: AdapterSettings | undefined },
  workers: number,
  warn: (message: string) => void,
): InitOptions {
  const { connectionStateRecovery, ...others } = init;
  if (!connectionStateRecovery) return others; // false is what Socket.IO would not expect
  const isOwn = adapter?.name === 'own' || init.adapter !== undefined;
  if (isOwn || (adapter ? adapter.name === 'redis-streams' : workers === 1)) return init;
  const who = adapter ? `the adapter ${adapter.name}` : `an app of ${workers} workers without an adapter`;
  const problem = `config.io.init.connectionStateRecovery: ${who} cannot recover what clients miss, and it is off; one worker without an adapter can, and the adapter redis-streams`;
  warn(messageOf('IO_RECOVERY_UNAVAILABLE', problem));
  return others;
}

/** A package that the app has to install, and where it is. */
function packageOf<Package>(adapter: AdapterSettings['name'], baseDir: string): { exported: Package; path: string } {
  const name = `@socket.io/${adapter}-adapter`;
  const require = createRequire(join(baseDir, 'package.json'));
  try {
    return { exported: require(name) as Package, path: require.resolve(name) }; // of the versions that package.json names as peers
  } catch (cause) {
    throw new SetupError('IO_ADAPTER_MISSING', `config.io.adapter is '${adapter}': run \`npm i ${name}\``, { cause });
  }
}
