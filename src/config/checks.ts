/** Checks that look at several options at once. Each returns the warning to log, or undefined. */
import { messageOf } from '../errors';
import type { AdapterSettings } from './adapter';
import type { InitOptions } from './options';

type Init = Omit<InitOptions, 'adapter'>;

/** Whether clients may poll. */
export function allowsPolling({ transports = ['polling', 'websocket'] }: Init): boolean {
  return transports.includes('polling');
}

/**
 * Browsers keep clients of Socket.IO 2 out although the `cors` option names their pages: these clients poll with credentials, for which
 * the option needs `credentials: true` and an answer with the page's own origin.
 */
export function corsWarning(init: Init): string | undefined {
  const { cors, allowEIO3 } = init;
  if (!allowEIO3 || !allowsPolling(init) || typeof cors !== 'object') return undefined;
  const { origin, credentials } = cors;
  if (!origin || (Array.isArray(origin) && origin.length === 0)) return undefined;
  const remedies = [
    origin === '*' && 'origin to a list of your sites (true lets every site act for its visitors)',
    credentials !== true && 'credentials: true',
  ].filter(remedy => remedy !== false);
  if (remedies.length === 0) return undefined;
  const problem = `config.io.init.cors lets in no browser that has a client of Socket.IO 2, which polls with credentials unless told otherwise: set ${remedies.join(' and ')} there; if there are no such clients, set config.io.init.allowEIO3 to false`;
  return messageOf('IO_CORS_CREDENTIALS', problem);
}

/** Only some adapters can bring back what a client has missed. With the others, recovery would cost something and do nothing. */
export function recoveryWarning(
  { connectionStateRecovery }: Init,
  adapter: AdapterSettings | undefined,
  workers: number,
): string | undefined {
  const canRecover = adapter ? adapter.name === 'own' || adapter.name === 'redis-streams' : workers === 1;
  if (!connectionStateRecovery || canRecover) return undefined;
  const who = adapter ? `the adapter ${adapter.name}` : `an app of ${workers} workers without an adapter`;
  const problem = `config.io.init.connectionStateRecovery: ${who} cannot recover what clients miss, and it is off; one worker without an adapter can, and the adapter redis-streams`;
  return messageOf('IO_RECOVERY_UNAVAILABLE', problem);
}

/** What is kept for clients that come back is kept in the namespace's adapter, if no adapter of the config keeps it elsewhere. */
export function cleanupWarning(
  { cleanupEmptyChildNamespaces, connectionStateRecovery }: Init,
  adapter: AdapterSettings | undefined,
): string | undefined {
  if (!cleanupEmptyChildNamespaces || !connectionStateRecovery || adapter) return undefined;
  const problem =
    'config.io.init.cleanupEmptyChildNamespaces and connectionStateRecovery are both on: when the connection of the last client of a namespace made on demand breaks, the namespace goes with all that was kept for it, and that client is not recovered; leave one of them out';
  return messageOf('IO_RECOVERY_CLEANUP', problem);
}

/** Node closes connections that are quiet for `config.serverTimeout`. A client that polls hears nothing until the next ping. */
export function timeoutWarning(init: Init, serverTimeout: number | null | undefined): string | undefined {
  const { pingInterval = 25_000 } = init;
  if (!serverTimeout || serverTimeout > pingInterval || !allowsPolling(init)) return undefined;
  const problem = `config.serverTimeout is ${serverTimeout} ms, and clients hear a ping every ${pingInterval} ms: Egg cuts those that poll in between; make it longer than config.io.init.pingInterval, or leave it out`;
  return messageOf('IO_SERVER_TIMEOUT', problem);
}
