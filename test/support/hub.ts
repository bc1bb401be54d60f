/** A hub, and servers that are joined by it, as if each was a worker. */
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createConnection, type Socket as Connection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { ServerOptions } from 'socket.io';
import { type AdapterServer, type Join, startServer } from './adapters';
import { ROOT } from './app';
import { Logs } from './logs';
import {
  controlFrame,
  createAdapterFactory,
  Deprecations,
  Histories,
  Hub,
  HubBackplane,
  keepStreams,
  Limits,
  MemoryStreams,
  readConfig,
  streamsOf,
} from './parts';

export interface Worker extends AdapterServer {
  readonly link: HubBackplane;
  readonly logs: Logs;
}

/** A path that no hub listens at yet. */
export async function hubPath(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'hub-'));
  t.after(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));
  return join(folder, 'hub.sock');
}

/** In this process. It is closed when the test ends. */
export async function startHub(t: TestContext, path: string, logs = new Logs()): Promise<Hub> {
  const hub = new Hub(logs);
  await hub.listen(path);
  t.after(() => hub.close());
  return hub;
}

/** The same, which keeps the events of rooms with history. Returns where. */
export async function startHubWithStreams(t: TestContext, path: string): Promise<MemoryStreams> {
  const hub = await startHub(t, path);
  const streams = new MemoryStreams();
  t.after(() => streams.close());
  keepStreams(hub, streams);
  return streams;
}

/** @param io `config.io`, as far as it is about limits and rooms with history */
export async function startWorker(
  t: TestContext,
  path: string,
  name: string,
  options: Partial<ServerOptions> = {},
  io: object = {},
): Promise<Worker> {
  const logs = new Logs();
  const settings = readConfig({ io }, 1, () => {});
  const link = new HubBackplane(path, name, logs);
  // Socket.IO types it as a class only, but takes a factory as well
  const create = createAdapterFactory(
    { init: { ...(options.connectionStateRecovery && { connectionStateRecovery: options.connectionStateRecovery }) }, adapter: undefined },
    {
      backplane: link,
      deprecations: new Deprecations(logs),
      limits: new Limits(settings.limits, logs, ROOT),
      logger: logs,
      histories: Histories.of(settings, true, () => streamsOf(link)),
    },
  );
  const adapter = create as unknown as NonNullable<ServerOptions['adapter']>;
  const server = await startServer(t, { adapter, ...options }, () => void link.close());
  await link.ready();
  return { ...server, link, logs };
}

/** A worker that says hello and nothing more. */
export async function enterMute(t: TestContext, path: string): Promise<Connection> {
  const connection = createConnection(path);
  t.after(() => connection.destroy());
  for (const bytes of controlFrame(0, { name: 'mute' }).bytes) connection.write(bytes);
  await once(connection, 'data'); // welcome
  return connection;
}

/** For the cases that every adapter has to meet. */
export async function joinByHub(t: TestContext): Promise<Join> {
  const path = await hubPath(t);
  await startHub(t, path);
  let number = 0;
  return options => startWorker(t, path, `worker ${++number}`, options);
}
