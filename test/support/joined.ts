/** A server of Socket.IO with one of the plugin's ways to other servers, and nothing of Egg. */
import type { TestContext } from 'node:test';
import type { ServerOptions } from 'socket.io';
import { type AdapterServer, startServer } from './adapters';
import { ROOT } from './app';
import type { Parts } from './former-version';
import { Logs } from './logs';
import { createAdapterFactory, createBackplane, Deprecations, readConfig } from './parts';

const CURRENT: Parts = { createAdapterFactory, createBackplane, Deprecations, readConfig };

export interface Joined extends AdapterServer {
  readonly logs: Logs;
  readonly backplane: NonNullable<ReturnType<Parts['createBackplane']>>;
  /** Resolves when the boot of an app would go on. */
  ready(): Promise<void>;
}

/**
 * @param io `config.io`, with an adapter
 * @param parts of this version, or of another
 * @param baseDir where the packages of adapters are
 */
export async function join(
  t: TestContext,
  io: { readonly init?: Partial<ServerOptions>; readonly [name: string]: unknown },
  parts = CURRENT,
  baseDir = ROOT,
): Promise<Joined> {
  const { init = {} } = io;
  const logs = new Logs();
  const settings = parts.readConfig({ io }, 1, message => logs.warn(message)).adapter;
  const backplane = parts.createBackplane(settings, { logger: logs, baseDir, hub: undefined });
  if (!backplane) throw new Error('no adapter is asked for');
  const create = parts.createAdapterFactory(
    { init, adapter: settings },
    { backplane, deprecations: new parts.Deprecations(logs), logger: logs },
  );
  const adapter = create as unknown as NonNullable<ServerOptions['adapter']>; // typed as a class only
  const server = await startServer(t, { ...init, adapter }, () => void backplane.close());
  return { ...server, logs, backplane, ready: () => backplane.ready() };
}
