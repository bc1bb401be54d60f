/** Starts the app of a test by egg-mock, in this process or as a cluster. */
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createServer, type RequestListener, type Server as HttpServer } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Server } from '../server/server';

/** What the kit needs of an app in this process. */
export interface TestedApp {
  readonly io: Server;
  readonly config: { readonly env: string };
  server?: HttpServer;
  ready(): Promise<unknown>;
  close(): Promise<unknown>;
  callback(): RequestListener;
  emit(event: 'server', server: HttpServer): unknown;
  createAnonymousContext(request: unknown): object;
}

/** A cluster of egg-mock: the app's functions for mocks are there, and call those of the worker. */
export interface TestedCluster {
  readonly port: number;
  ready(): Promise<unknown>;
  close(): Promise<unknown>;
}

/** egg-mock, or @eggjs/mock. */
interface Mock {
  app(options: object): TestedApp;
  cluster(options: object): TestedCluster;
  env(name: string): void;
  restore(): Promise<unknown>;
}

const NAMES = ['@eggjs/mock', 'egg-mock'] as const;

/** The mock of the app: the nearest one, from its folder. */
export async function loadMock(baseDir: string): Promise<Mock> {
  const folders = createRequire(join(baseDir, 'package.json')).resolve.paths(NAMES[0]) ?? [];
  for (const folder of folders) {
    const name = NAMES.find(one => existsSync(join(folder, one)));
    if (name === undefined) continue;
    const loaded = await load(createRequire(join(folder, 'any.js')), name);
    return 'default' in loaded.default ? loaded.default.default : loaded.default;
  }
  throw new Error(`the app at ${baseDir} has neither @eggjs/mock nor egg-mock: install @eggjs/mock, or egg-mock on egg 3`);
}

/** Jest has no import() for what is not ESM, and Node 20 has no require() for what is. */
async function load(require: NodeJS.Require, name: string): Promise<{ default: Mock | { default: Mock } }> {
  try {
    return require(name) as { default: Mock };
  } catch (error) {
    if (!(error instanceof Error) || !('code' in error) || error.code !== 'ERR_REQUIRE_ESM') throw error;
    return (await import(pathToFileURL(require.resolve(name)).href)) as { default: Mock };
  }
}

/** Has the app listen on a free port, like a worker. Returns the port. */
export async function listen(app: TestedApp): Promise<number> {
  await app.ready();
  const server = app.server ?? createServer(app.callback());
  if (!app.server) app.emit('server', server);
  if (!server.listening) await once(server.listen(0, '127.0.0.1'), 'listening');
  return (server.address() as AddressInfo).port; // of a TCP server
}
