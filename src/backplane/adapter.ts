/** Chooses the backplane and the adapter for broadcasts. No other file does. */
import type { Namespace } from 'socket.io';
import { Adapter, SessionAwareAdapter } from 'socket.io-adapter';
import { appPackage } from '../app-package';
import type { Backplane } from './backplane';
import type { AdapterSettings } from '../config/adapter';
import type { AdapterFactory } from '../config/options';
import type { Settings } from '../config/settings';
import type { Deprecations } from '../deprecated/deprecations';
import type { Logger } from '../egg';
import type { Limits } from '../limits/limits';
import type { Histories } from './history';
import type { MongoBackplane, MongoPackage } from './mongo';
import { type Operator, operatorsOf } from './operators';
import type { PostgresBackplane } from './postgres/postgres';
import { Budget } from './recovery/budget';
import { PulsedBackplane } from './pulsed-backplane';
import type { StreamsPackage } from './redis/adapters';
import type { RedisBackplane } from './redis/redis';
import { addRoomHistories } from './room-history';
import { addUsers } from './user-operator';
import { countPublished } from './wrappers/count-published';
import type { Carrier } from './wrappers/setup';
import { wrap } from './wrappers/table';
import type { BroadcastTracer } from './wrappers/trace-broadcasts';

interface Surroundings {
  readonly logger: Logger;
  /** The app's folder, where the packages of adapters are installed. */
  readonly baseDir: string;
  /** Creates the hub's backplane for an app without an adapter. Undefined if there is no hub. */
  readonly hub: (() => Backplane) | undefined;
}

interface Parts {
  readonly backplane: Backplane | undefined;
  readonly deprecations: Deprecations;
  /** Undefined in the agent, which has no clients. */
  readonly limits?: Limits;
  readonly logger: Logger;
  /** Called for each message to other processes. Undefined if nothing is counted. */
  readonly onPublish?: (() => void) | undefined;
  /** If set, calls wait until it resolves. */
  readonly opened?: Promise<void>;
  /** Undefined if no room has a history. */
  readonly histories?: Histories | undefined;
  /** Undefined if broadcasts have no spans. */
  readonly tracer?: BroadcastTracer | undefined;
}

/**
 * Creates the backplane. Undefined if there are no other processes, or the app has an adapter of its own. Its code is loaded only by an app that needs
 * it: that for Redis takes each process 60 ms, and 2 MB of its heap.
 */
export function createBackplane(adapter: AdapterSettings | undefined, { logger, baseDir, hub }: Surroundings): Backplane | undefined {
  switch (adapter?.name) {
    case 'redis':
    case 'redis-sharded':
    case 'redis-streams': {
      const streams = adapter.name === 'redis-streams' ? packageOf<StreamsPackage>(adapter.name, baseDir).exported : undefined;
      const redis = require('./redis/redis') as { RedisBackplane: typeof RedisBackplane };
      return new redis.RedisBackplane(adapter, logger, streams);
    }
    case 'mongo': {
      const { exported, path } = packageOf<MongoPackage>(adapter.name, baseDir);
      const mongo = require('./mongo') as { MongoBackplane: typeof MongoBackplane };
      return new mongo.MongoBackplane(adapter, logger, exported, path);
    }
    case 'postgres': {
      const { path } = packageOf(adapter.name, baseDir);
      const postgres = require('./postgres/postgres') as { PostgresBackplane: typeof PostgresBackplane };
      return new postgres.PostgresBackplane(adapter, logger, path);
    }
    case 'own':
      return undefined;
    case undefined:
  }
  return hub?.();
}

/** Creates the factory of adapters, which wraps each adapter. */
export function createAdapterFactory(
  { init, adapter: settings }: Pick<Settings, 'init' | 'adapter'>,
  { backplane, deprecations, limits, logger, onPublish, opened, histories, tracer }: Parts,
): AdapterFactory {
  const carrier = carrierOf(settings, backplane);
  const interop = settings === undefined || settings.name === 'own' || settings.options.interop !== false;
  const isRecoveryOn = init.connectionStateRecovery !== undefined;
  const create = backplane?.createAdapter ?? (settings?.name === 'own' ? settings.create : (nsp: Namespace) => new Adapter(nsp));
  return function (nsp) {
    const adapter = create(nsp);
    const recovers = isRecoveryOn && (carrier.kind !== 'own' || adapter instanceof SessionAwareAdapter);
    if (recovers) Budget.of(nsp.server, limits?.settings.recovery, () => limits?.report('recovery', 'the oldest of that is dropped'));
    histories?.addTo(nsp);
    nsp.adapter = adapter; // as Socket.IO does in a moment, but before the namespace gets another prototype
    const operators = (): Operator => operatorsOf(nsp);
    wrap({ ...carrier, adapter, nsp, operators, deprecations, limits, logger, interop, isRecoveryOn, recovers, opened, tracer });
    if (backplane && onPublish) countPublished(adapter, onPublish); // as the app calls the adapter
    deprecations.addToAdapter(adapter);
    addUsers(nsp);
    addRoomHistories(nsp);
    return adapter;
  };
}

/** What carries the messages of an adapter. */
function carrierOf(settings: AdapterSettings | undefined, backplane: Backplane | undefined): Carrier {
  if (settings && settings.name !== 'own') {
    if (!(backplane instanceof PulsedBackplane)) throw new TypeError(`'${settings.name}' needs its backplane`);
    return { kind: settings.name, backplane };
  }
  return backplane ? { kind: 'hub', backplane } : { kind: settings ? 'own' : 'memory', backplane };
}

/** The package of an adapter. @throws SetupError if the app has not installed it */
function packageOf<Package>(adapter: AdapterSettings['name'], baseDir: string): { exported: Package; path: string } {
  const needed = { option: `config.io.adapter: '${adapter}'`, code: 'IO_ADAPTER_MISSING' } as const;
  return appPackage(baseDir, `@socket.io/${adapter}-adapter`, needed);
}
