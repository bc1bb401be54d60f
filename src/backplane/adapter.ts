/** How emits reach their sockets: within the process, or across servers by what the config names. */
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { Namespace } from 'socket.io';
import { Adapter, SessionAwareAdapter } from 'socket.io-adapter';
import { endInOutage } from './wrappers/end-in-outage';
import type { Backplane } from './backplane';
import type { AdapterSettings } from '../config/adapter';
import type { AdapterFactory, InitOptions } from '../config/options';
import { type MongoPackage, MongoBackplane } from './mongo';
import { PostgresBackplane, type PostgresPackage } from './postgres/postgres';
import type { Deprecations } from '../deprecations';
import type { Logger } from '../egg';
import { SetupError } from '../errors';
import { operatorsOf } from './operators';
import { RecoveringAdapter } from './recovering-adapter';
import { recoverConnections } from './wrappers/recovery';
import type { StreamsPackage } from './redis/adapters';
import { RedisBackplane } from './redis/redis';

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
  const InMemory = init.connectionStateRecovery ? RecoveringAdapter : Adapter;
  const create = backplane?.createAdapter ?? (settings?.name === 'own' ? settings.create : (nsp: Namespace) => new InMemory(nsp));
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
