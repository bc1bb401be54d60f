/** Starts a real Egg app from a few files that a test writes down, on the host that EGG_HOST names. */
import { once } from 'node:events';
import { access, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import type { Server as HttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, join, resolve } from 'node:path';
import type { TestContext } from 'node:test';
import { pathToFileURL } from 'node:url';
import type { Server } from 'egg-socket.io';
import { ioTest, type OpenClient } from 'egg-socket.io/test';

export const ROOT = resolve(__dirname, '../../..');

export type HostName = 'egg3' | 'egg4' | 'egg41';

export const HOST = (process.env['EGG_HOST'] ?? 'egg4') as HostName;

/** Where the host's node_modules are; this project's own have egg 4. */
export function hostFolder(host: HostName = HOST): string {
  return host === 'egg4' ? ROOT : join(ROOT, 'test/hosts', host);
}

/** Content by path. */
export type Files = Record<string, string>;

interface EggApp {
  readonly io: Server;
  readonly server: HttpServer;
  readonly config: Record<string, unknown>;
  readonly capturedLogs: string[];
  ready(): Promise<void>;
  close(): Promise<void>;
  callback(): unknown;
  on(event: string, listener: (...args: unknown[]) => void): this;
  once(event: string, listener: (...args: unknown[]) => void): this;
  off(event: string, listener: (...args: unknown[]) => void): this;
  emit(event: string, ...args: unknown[]): boolean;
  runSchedule(name: string): Promise<void>;
  readonly serviceClasses: Record<string, unknown>;
  mockService(name: string, method: string, fn: (...args: unknown[]) => unknown): void;
  createAnonymousContext(): unknown;
  currentContext: unknown;
}

interface Mock {
  app(options: object): EggApp;
  env(name: string): void;
  restore(): Promise<void>;
}

export interface RunningApp {
  readonly app: EggApp;
  readonly io: Server;
  readonly server: HttpServer;
  readonly baseDir: string;
  /** As http://127.0.0.1:12345 */
  readonly url: string;
  readonly port: number;
  /** Opens clients of the test kit. They are disconnected when the test ends. */
  readonly open: OpenClient;
  /** All that has been logged, a line each: level and message. */
  readonly logs: readonly string[];
  /** Resolves with the first line that matches, past or to come. */
  logged(pattern: RegExp): Promise<string>;
  close(): Promise<void>;
}

export interface AppOptions {
  /** EGG_SERVER_ENV. Default: unittest */
  env?: string;
  /** Default: a free one */
  port?: number;
}

/** The packages that an app gets if it names them, or the option that needs one: each with the folder of tests that has it, and what is installed with it. */
const PACKAGES: Readonly<Record<string, { readonly folder: string; readonly parts: readonly string[]; readonly option?: string }>> = {
  zod: { folder: 'schemas', parts: ['zod'] },
  valibot: { folder: 'schemas', parts: ['valibot', '@valibot/to-json-schema'] },
  arktype: { folder: 'schemas', parts: ['arktype'] },
  '@opentelemetry/sdk-node': { folder: 'opentelemetry', parts: ['@opentelemetry/sdk-node'] },
  '@socket.io/admin-ui': { folder: 'admin-ui', parts: ['@socket.io/admin-ui', 'bcryptjs'], option: 'adminUi' },
};

/** Writes an app folder. `config/plugin.js` and `config/config.default.js` are added to, where given. */
export async function writeApp(files: Files, host: HostName = HOST): Promise<string> {
  const parent = join(hostFolder(host), '.apps');
  await mkdir(parent, { recursive: true });
  const baseDir = await mkdtemp(join(parent, 'app-'));
  const all: Files = {
    'package.json': JSON.stringify({ name: 'test-app', type: 'commonjs' }),
    'app/router.js': 'module.exports = () => {};',
    ...files,
    'config/plugin.js': `exports.io = { enable: true, package: 'egg-socket.io' };
// these have timers that outlive the app, and so would keep the test's process
exports.development = exports.watcher = exports.logrotator = exports.multipart = false;
// nothing of ours meets these, and they take a fifth of a boot
exports.view = exports.jsonp = false;
exports.static = ${Object.keys(files).some(path => path.startsWith('app/public/'))};
exports.logCapture = { enable: true, path: ${JSON.stringify(join(ROOT, 'test/support/log-capture'))} };
${files['config/plugin.js'] ?? ''}`,
    // egg's own of this env would have it write to the console
    'config/config.unittest.js': "exports.logger = { consoleLevel: 'NONE' };",
    'config/config.default.js': `exports.keys = 'test-keys';
exports.logger = { consoleLevel: 'NONE', buffer: false, dir: ${JSON.stringify(join(baseDir, 'logs'))} };
${files['config/config.default.js'] ?? ''}`,
  };
  for (const [name, { folder, parts, option }] of Object.entries(PACKAGES)) {
    if (!Object.values(files).some(content => content.includes(`'${name}'`) || (option !== undefined && content.includes(option))))
      continue;
    for (const part of parts) {
      const target = join(ROOT, 'test', folder, 'node_modules', part);
      await access(target); // else Node would find another version
      await mkdir(dirname(join(baseDir, 'node_modules', part)), { recursive: true });
      await symlink(target, join(baseDir, 'node_modules', part));
    }
  }
  for (const [path, content] of Object.entries(all)) {
    await mkdir(dirname(join(baseDir, path)), { recursive: true });
    await writeFile(join(baseDir, path), content);
  }
  return baseDir;
}

/** Egg may still write logs after it has been closed, most of all after a boot that has failed: the folder is removed again then. */
export async function removeApp(baseDir: string): Promise<void> {
  await rm(baseDir, { recursive: true, force: true, maxRetries: 5 });
}

/** Starts the app and listens on a free port. It is closed and removed when the test ends. Rejects if the boot does. */
export async function startApp(t: TestContext, files: Files, options: AppOptions = {}): Promise<RunningApp> {
  const baseDir = await writeApp(files);
  const mock = await loadMock();
  mock.env(options.env ?? 'unittest'); // egg 4 takes local where nobody says
  const app = mock.app({ baseDir, framework: join(hostFolder(), 'node_modules/egg'), cache: false, coverage: false });
  let closing: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    closing ??= (async () => {
      await app.close();
      await mock.restore();
    })();
    await closing;
  };
  t.after(async () => {
    try {
      await close();
    } finally {
      await removeApp(baseDir);
    }
  });
  await app.ready();
  // what egg's cluster worker does, and what egg-mock does not do before the first HTTP test
  const server = app.server ?? (await createServer(app));
  server.listen(options.port ?? 0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    app,
    io: app.io,
    server,
    baseDir,
    url: `http://127.0.0.1:${port}`,
    port,
    open: (await ioTest({ app, baseDir })).io,
    logs: app.capturedLogs,
    logged: pattern => logged(app, pattern),
    close,
  };
}

/** The error that stops the boot of an app. */
export async function bootError(t: TestContext, files: Files, options: AppOptions = {}): Promise<Error & { code?: string }> {
  let booted;
  try {
    booted = await startApp(t, files, options);
  } catch (error) {
    return error as Error; // Egg rejects with nothing else
  }
  throw new Error(`the app at ${booted.baseDir} has started`);
}

async function createServer(app: EggApp): Promise<HttpServer> {
  const { createServer } = await import('node:http');
  const server = createServer(app.callback() as () => void);
  app.emit('server', server);
  return server;
}

async function logged(app: EggApp, pattern: RegExp): Promise<string> {
  for (;;) {
    const line = app.capturedLogs.find(one => pattern.test(one));
    if (line !== undefined) return line;
    await new Promise<void>(resolve => app.once('captured', () => resolve()));
  }
}

async function loadMock(): Promise<Mock> {
  const modules = join(hostFolder(), 'node_modules');
  if (HOST === 'egg3') return require(join(modules, 'egg-mock')) as Mock;
  if (HOST === 'egg4') return (require(join(modules, '@eggjs/mock')) as { default: Mock }).default;
  return ((await import(pathToFileURL(join(modules, '@eggjs/mock/dist/index.js')).href)) as { default: Mock }).default;
}
