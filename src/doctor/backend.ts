/**
 * Whether Redis or the database can be reached, and allows what the adapter needs. For a moment, this process takes part as one more server
 * without clients, with the very code of the app: what that would log is what is found.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as passes } from 'node:timers/promises';
import { Server, type ServerOptions } from 'socket.io';
import { createAdapterFactory, createBackplane } from '../backplane/adapter';
import type { Backplane } from '../backplane/backplane';
import { closeInTime } from '../backplane/database';
import type { Settings } from '../config/settings';
import { Deprecations } from '../deprecated/deprecations';
import type { Logger } from '../egg';
import { oneLine, SetupError } from '../errors';
import { toError } from '../thrown';
import { type Finding, withoutName } from './finding';

/** Time in ms for answers that nobody waits for: of the backend, such as the rights on a table, and of the other servers, which say that they are there. */
const OBSERVATION_TIME = 1000;

export async function checkBackend(settings: Settings, baseDir: string): Promise<Finding[]> {
  const { adapter } = settings;
  if (!adapter)
    return [{ level: 'ok', text: 'there is no adapter: the app runs on one machine, whose workers are connected by the agent' }];
  if (adapter.name === 'own') return [{ level: 'look', text: "the app's own adapter is not checked" }];
  const log = new FoundLog();
  let backplane: Backplane | undefined;
  try {
    backplane = createBackplane(adapter, { logger: log, baseDir, hub: undefined });
  } catch (error) {
    if (error instanceof SetupError) return [{ level: 'problem', text: withoutName(error.message) }];
    throw error;
  }
  if (!backplane) return [];
  try {
    const others = await takePart(backplane, settings, log);
    const text = `${backplane.name} answers, and allows what the adapter '${adapter.name}' needs; other servers of the app there: ${others}`;
    return log.findings.length > 0 ? log.findings : [{ level: 'ok', text }];
  } finally {
    await backplane.close();
  }
}

/** Emits to nobody and asks the others, in each namespace of the config. Returns the number of the other servers. */
async function takePart(backplane: Backplane, settings: Settings, log: FoundLog): Promise<number> {
  // no recovery: servers that end would hand over their clients to this process
  const create = createAdapterFactory(
    { init: {}, adapter: settings.adapter },
    { backplane, deprecations: new Deprecations(log), logger: log },
  );
  const io = new Server({ adapter: create as unknown as NonNullable<ServerOptions['adapter']> }); // typed as a class only
  const names = [...settings.namespaces.keys()].filter(name => !name.includes('{')); // no patterns
  const namespaces = [...new Set(['/', ...names])].map(name => io.of(name));
  await backplane.ready();
  try {
    for (const nsp of namespaces) {
      nsp.to(randomUUID()).emit('doctor'); // a room without sockets
      await nsp.fetchSockets();
    }
  } catch (thrown) {
    if (log.findings.length === 0) log.error(toError(thrown).message);
  }
  await passes(OBSERVATION_TIME);
  const counts = await Promise.all(namespaces.map(async ({ adapter }) => adapter.serverCount()));
  // without it, the others would go on to wait for answers of this process, until they miss its heartbeats
  await closeInTime(Promise.allSettled(namespaces.map(async ({ adapter }) => adapter.close())));
  return Math.max(...counts) - 1;
}

/** Keeps what the plugin would log. */
class FoundLog implements Logger {
  readonly findings: Finding[] = [];

  info(): void {}

  warn(message: string, ...details: unknown[]): void {
    this.#add('look', message, details);
  }

  error(message: string, ...details: unknown[]): void {
    this.#add('problem', message, details);
  }

  #add(level: Finding['level'], message: string, details: unknown[]): void {
    const reasons = details.filter(detail => detail instanceof Error).map(({ message }) => oneLine(message));
    this.findings.push({ level, text: [withoutName(message), ...reasons].join(': ') });
  }
}
