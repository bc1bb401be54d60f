/** Checks of several options together. Each returns the warning to log, or undefined. */
import { messageOf } from '../errors';
import type { AdapterSettings } from './adapter';
import type { InitOptions } from './options';

type Init = Omit<InitOptions, 'adapter'>;

/** Whether clients may poll. */
export function allowsPolling({ transports = ['polling', 'websocket'] }: Init): boolean {
  return transports.includes('polling');
}

/**
 * Browsers block clients of Socket.IO 2 even if `cors` names their pages: these clients poll with credentials, which requires
 * `credentials: true` and the page's own origin in the response.
 */
export function corsWarning(init: Init): string | undefined {
  const { cors, allowEIO3 } = init;
  if (allowEIO3 !== true || !allowsPolling(init) || typeof cors !== 'object') return undefined;
  const { origin, credentials } = cors;
  if (!origin || (Array.isArray(origin) && origin.length === 0)) return undefined;
  const remedies = [
    origin === '*' && 'origin to a list of your sites (with true, any site could act for its visitors)',
    credentials !== true && 'credentials: true',
  ].filter(remedy => remedy !== false);
  if (remedies.length === 0) return undefined;
  const problem = `config.io.init.cors blocks clients of Socket.IO 2 in browsers, since they poll with credentials by default: set ${remedies.join(' and ')} there; if you have no such clients, set config.io.init.allowEIO3 to false`;
  return messageOf('IO_CORS_CREDENTIALS', problem);
}

/** The id of a session is a secret, but for clients of Socket.IO 2 it is the `socket.id`, which apps show to others. */
export function sessionIdWarning(init: Init, bind: readonly string[], env: string | undefined): string | undefined {
  if (env !== 'prod' || init.allowEIO3 !== true || !allowsPolling(init)) return undefined;
  if (bind.includes('address') || bind.includes('cookie')) return undefined; // a user agent can be sent by anybody
  const problem =
    "clients of Socket.IO 2 may poll, and whoever knows the socket.id of one that does can take part in its session: set config.io.init.allowEIO3 to 'websocket', or to false if you have no such clients, or bind sessions to the 'address' or 'cookie' with config.io.bind";
  return messageOf('IO_SESSION_ID_PUBLIC', problem);
}

/** Recovery needs an adapter that keeps events, or processes that can ask each other for them. Without, it would only cost time. */
export function recoveryWarning(
  { connectionStateRecovery }: Init,
  adapter: AdapterSettings | undefined,
  { workers, cluster }: { readonly workers: number; readonly cluster: boolean },
): string | undefined {
  if (!connectionStateRecovery) return undefined;
  const problem = adapter ? problemOfAdapter(adapter) : workers > 1 && !cluster && PROBLEM_OF_WORKERS;
  return problem ? messageOf('IO_RECOVERY_UNAVAILABLE', `config.io.init.connectionStateRecovery has no effect: ${problem}`) : undefined;
}

const PROBLEM_OF_WORKERS =
  'the workers of this app do not know of each other, since config.io.cluster is false; remove that, start one worker, or use an adapter';

/** A server must get events for clients that have gone, too. */
function problemOfAdapter(adapter: AdapterSettings): string | undefined {
  if (adapter.name !== 'redis-sharded') return undefined;
  const { subscriptionMode = 'static' } = adapter.options;
  if (subscriptionMode === 'static') return undefined;
  return "a server misses events to rooms without a client of its own while config.io.adapter.subscriptionMode is not 'static'; remove that option";
}

/** The events to recover are in the memory of the namespace, unless an adapter keeps them, and are lost when it is removed. */
export function cleanupWarning(
  { cleanupEmptyChildNamespaces, connectionStateRecovery }: Init,
  adapter: AdapterSettings | undefined,
): string | undefined {
  if (!cleanupEmptyChildNamespaces || !connectionStateRecovery || adapter?.name === 'own' || adapter?.name === 'redis-streams')
    return undefined;
  const problem =
    'config.io.init.cleanupEmptyChildNamespaces and connectionStateRecovery are both on: when the last client of a namespace made on demand loses its connection, the namespace is removed with all messages to recover; remove one of the two options';
  return messageOf('IO_RECOVERY_CLEANUP', problem);
}

/** Node closes connections that are idle for `config.serverTimeout`. A polling client may receive nothing between two pings. */
export function timeoutWarning(init: Init, serverTimeout: number | null | undefined): string | undefined {
  const { pingInterval = 25_000 } = init;
  if (!serverTimeout || serverTimeout > pingInterval || !allowsPolling(init)) return undefined;
  const problem = `config.serverTimeout is ${serverTimeout} ms, but the server pings clients only every ${pingInterval} ms: Egg closes the requests of polling clients in between; make it longer than config.io.init.pingInterval, or remove it`;
  return messageOf('IO_SERVER_TIMEOUT', problem);
}

/** How Egg finds the addresses of clients. */
export interface ProxyConfig {
  readonly proxy?: boolean;
  readonly maxIpsCount?: number;
  /** An older form of `maxIpsCount`. */
  readonly maxProxyCount?: number;
}

/** Egg takes the first address of `X-Forwarded-For`, which the client itself has sent, unless it knows how many there can be. */
export function addressWarning({ proxy, maxIpsCount, maxProxyCount }: ProxyConfig, options: readonly string[]): string | undefined {
  if (!proxy || maxIpsCount || maxProxyCount || options.length === 0) return undefined;
  const problem = `${options.join(' and ')} can be evaded: config.proxy is true, and a client may send any X-Forwarded-For; set config.maxIpsCount to the number of proxies in front of the app`;
  return messageOf('IO_ADDRESS_FORGEABLE', problem);
}
