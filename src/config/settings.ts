/** Reads and checks `config.io` while Egg starts. */
import { isDevelopment, SetupError } from '../errors';
import { type AccessLogSettings, readAccessLog } from './access-log';
import { type AdminSettings, readAdmin } from './admin';
import { type AdminUiSettings, readAdminUi } from './admin-ui';
import { type AdapterSettings, readAdapter } from './adapter';
import { type DrainSettings, readDrain } from './drain';
import { type HistorySettings, readHistory } from './history';
import { type AuthSettings, readAuth, readGlobalAuth } from './auth';
import { addressWarning, cleanupWarning, corsWarning, recoveryWarning, sessionIdWarning, timeoutWarning, type ProxyConfig } from './checks';
import { readAllowedHosts, readBind } from './handshake';
import { readDocuments, readHealth } from './http-paths';
import { type LimitSettings, readLimits, readNamespaceLimits } from './limits';
import { readInit } from './init';
import type { BoundTo, GenerateId, InitOptions, IoConfig, NamespaceConfig, OnError } from './options';
import { otherPlaceOf, unknownOption } from './places';
import { type PresenceSettings, readPresence } from './presence';
import { type PrometheusSettings, readPrometheus } from './prometheus';
import {
  booleanAt,
  functionAt,
  invalid,
  isSet,
  namesAt,
  objectAt,
  oneOf,
  type Reader,
  refuseUnknown,
  wholeNumber,
  withDefault,
} from './readers';
import type { RoomPatterns } from './room-patterns';
import { NAMESPACE_OPTIONS, OPTIONS } from './tables';
import { readTracing, type TracingSettings } from './tracing';
import { readUserLimits, type UserLimitSettings } from './user-limits';

/** `config.io`, checked and complete. */
export interface Settings {
  /** Without `adapter`, which is in `adapter` below, and without `connectionStateRecovery` if the adapter does not support it. */
  readonly init: Omit<InitOptions, 'adapter'>;
  /** By name, with the leading slash. */
  readonly namespaces: ReadonlyMap<string, NamespaceSettings>;
  /** Undefined if the config has no adapter. */
  readonly adapter: AdapterSettings | undefined;
  readonly cluster: boolean;
  readonly acknowledge: 'return' | 'callback';
  readonly unmatched: 'ignore' | 'error';
  /** In ms. */
  readonly idempotencyTtl: number;
  readonly checkOutgoing: boolean;
  readonly documents: string | false;
  readonly limits: LimitSettings;
  readonly accessLog: AccessLogSettings | undefined;
  readonly drain: DrainSettings;
  /** Without the slash at its end. */
  readonly health: string | false;
  readonly prometheus: PrometheusSettings | undefined;
  readonly tracing: TracingSettings | undefined;
  readonly admin: AdminSettings | undefined;
  readonly adminUi: AdminUiSettings | undefined;
  readonly onerror: OnError | undefined;
  /** Undefined if logins last as long as connections. */
  readonly auth: AuthSettings | undefined;
  readonly followSession: boolean;
  readonly generateId: GenerateId | undefined;
  /** Undefined if all are allowed. */
  readonly allowedHosts: readonly string[] | undefined;
  readonly bind: readonly BoundTo[];
}

interface NamespaceSettings
  extends
    Required<Omit<NamespaceConfig, 'auth' | 'onerror' | 'history' | 'limits' | 'presence' | 'userLimits'>>,
    Pick<NamespaceConfig, 'onerror'> {
  /** Those of all namespaces, and its own in place of some. */
  readonly limits: LimitSettings;
  readonly userLimits: UserLimitSettings | undefined;
  /** Undefined if no room has a history. */
  readonly history: HistorySettings | undefined;
  readonly presence: RoomPatterns<PresenceSettings> | undefined;
  readonly auth: AuthSettings | undefined;
}

/** The part of Egg's config that is read here. */
interface Config extends ProxyConfig {
  readonly env?: string;
  readonly io?: unknown;
  /** The config of egg-redis or @eggjs/redis. */
  readonly redis?: unknown;
  readonly serverTimeout?: number | null;
  /** The config of Egg's sessions. */
  readonly session?: { readonly key?: string };
}

/**
 * Reads `config.io`.
 * @param workers the number of workers of this app on this machine
 * @param warn called for each probable mistake
 * @throws SetupError for a certain mistake
 */
export function readConfig(config: Config, workers: number, warn: (message: string) => void): Settings {
  const io = objectAt('config.io', config.io ?? {});
  for (const key of Object.keys(io)) if (!Object.hasOwn(OPTIONS, key)) warn(unknownOption('config.io', key));
  const { adapter: initAdapter, ...init } = readInit(io['init'] ?? {}, warn);
  const given = readAdapter({ adapter: io['adapter'], initAdapter, redis: io['redis'], parser: init.parser }, config.redis, warn);
  const read = <Value, Default>(name: keyof IoConfig, reader: Reader<Value>, fallback: Default): Value | Default =>
    withDefault(reader, fallback)(`config.io.${name}`, io[name]);
  const cluster = read('cluster', booleanAt, true);
  const noRecovery = recoveryWarning(init, given, { workers, cluster });
  if (noRecovery !== undefined) delete init.connectionStateRecovery;
  const adapter = init.connectionStateRecovery ? withAllEvents(given) : given;
  const bind = readBind(io['bind'], config.session?.key);
  const limits = readLimits('config.io.limits', io['limits']);
  const ofAddresses = [
    ...(bind.includes('address') ? ['config.io.bind'] : []),
    ...(limits.perAddress ? ['config.io.limits.perAddress'] : []),
  ];
  const warnings = [
    ...[noRecovery, cleanupWarning(init, adapter), corsWarning(init), timeoutWarning(init, config.serverTimeout)],
    ...[sessionIdWarning(init, bind, config.env), addressWarning(config, ofAddresses)],
  ];
  for (const warning of warnings) if (warning !== undefined) warn(warning);
  const { auth, followSession } = readGlobalAuth(io['auth']);
  return {
    init,
    namespaces: readNamespaces(io['namespace'] ?? {}, limits, auth),
    auth,
    followSession,
    adapter,
    cluster,
    acknowledge: read('acknowledge', oneOf('return', 'callback'), 'return'),
    unmatched: read('unmatched', oneOf('ignore', 'error'), 'ignore'),
    idempotencyTtl: read('idempotencyTtl', wholeNumber(1), 600_000),
    checkOutgoing: read('checkOutgoing', booleanAt, isDevelopment(config.env)),
    documents: readDocuments(io['documents'], config.env),
    limits,
    accessLog: readAccessLog(io['accessLog']),
    drain: readDrain(io['drain'], config.env),
    health: readHealth(io['health']),
    prometheus: readPrometheus(io['prometheus']),
    tracing: readTracing(io['tracing']),
    admin: readAdmin(io['admin'], config.env, warn),
    adminUi: read('adminUi', (place, value) => readAdminUi(place, value, config.env), undefined),
    onerror: read('onerror', functionAt<OnError>, undefined),
    generateId: read('generateId', functionAt<GenerateId>, undefined),
    allowedHosts: read('allowedHosts', readAllowedHosts, undefined),
    bind,
  };
}

/** For recovery, a server has to get the events to rooms of clients that have gone, too. */
function withAllEvents(adapter: AdapterSettings | undefined): AdapterSettings | undefined {
  if (adapter?.name !== 'redis-sharded') return adapter;
  return { ...adapter, options: { ...adapter.options, subscriptionMode: 'static' } };
}

/** @param limits @param auth those of namespaces that have none of their own */
function readNamespaces(value: unknown, limits: LimitSettings, auth: AuthSettings | undefined): Settings['namespaces'] {
  const namespaces = new Map<string, NamespaceSettings>();
  for (const [name, options] of Object.entries(objectAt('config.io.namespace', value))) {
    const place = `config.io.namespace['${name}']`;
    if (Object.hasOwn(NAMESPACE_OPTIONS, name) && Array.isArray(options))
      invalid(place, `inside a namespace, as in config.io.namespace['/'].${name}`);
    const given = objectAt(place, options ?? {});
    refuseUnknown(place, given, NAMESPACE_OPTIONS, key => otherPlaceOf(place, key));
    const {
      connectionMiddleware,
      packetMiddleware,
      ordered,
      limits: ownLimits,
      userLimits,
      onerror,
      history,
      presence,
      auth: ownAuth,
    } = given;
    if (namespaces.has(withSlash(name)))
      throw new SetupError('IO_CONFIG_INVALID', `${place} is set twice, with and without its leading slash; keep one`);
    namespaces.set(withSlash(name), {
      connectionMiddleware: namesAt(`${place}.connectionMiddleware`, connectionMiddleware ?? []),
      packetMiddleware: namesAt(`${place}.packetMiddleware`, packetMiddleware ?? []),
      ordered: withDefault(booleanAt, false)(`${place}.ordered`, ordered),
      presence: readPresence(`${place}.presence`, presence),
      limits: readNamespaceLimits(`${place}.limits`, ownLimits, limits),
      userLimits: withDefault(readUserLimits, undefined)(`${place}.userLimits`, userLimits),
      auth: ownAuth === false ? undefined : withDefault(readAuth, auth)(`${place}.auth`, ownAuth),
      history: withDefault(readHistory, undefined)(`${place}.history`, history),
      ...(isSet(onerror) && { onerror: functionAt<OnError>(`${place}.onerror`, onerror) }),
    });
  }
  return namespaces;
}

/** `chat` and `/chat` name the same namespace. */
function withSlash(name: string): string {
  return name.startsWith('/') ? name : `/${name}`;
}
