/** `egg-socket.io/test`: an app that listens, and its clients, in one line. For node:test, mocha, Jest and Vitest. */
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { Application } from 'egg';
import type { Socket as ServerSocket } from 'socket.io';
import type * as OfficialClient from 'socket.io-client';
import type { ManagerOptions, Socket, SocketOptions } from 'socket.io-client';
import type { Contract } from '../contract/contract';
import type { Declared, KnownName } from '../events';
import { doAfterEach, endLater, endWithFile, findHooks, useHooks } from './lifetimes';
import { cookieOf } from './session';
import { listen, loadMock, type TestedApp, type TestedCluster } from './start';
import { TestClient } from './test-client';

export { ReplyError } from '../contract/reply';
export { TestClient };

export interface IoTestOptions {
  /**
   * An app that the test has made by egg-mock, with options of its own. It has to be ready, and the test closes it and restores its mocks.
   * Default: `ioTest()` makes one.
   */
  app?: object;
  /** The folder of the app. Default: the folder in which the tests are started. */
  baseDir?: string;
  /** The folder of Egg, or of the framework. Default: that of the app. */
  framework?: string;
  /**
   * Starts a cluster with so many workers. Default: the app runs in the process of the tests, which can mock its services.
   * A cluster reads a session only if its store is outside of the app, as cookies and Redis are.
   */
  workers?: number;
  /** The time in ms after which a call or an event counts as missing. Default: `5000`. */
  timeout?: number;
}

/** Options of the official client, and: */
export interface IoClientOptions extends Partial<ManagerOptions & SocketOptions> {
  /** What the client has in its HTTP session, as after a login. Needs the env `unittest`. Default: no session. */
  session?: Readonly<Record<string, unknown>>;
  /** The namespace, if a contract is for a pattern of names. Default: that of the contract. */
  namespace?: string;
}

/** Opens clients. Resolves when the server has let the client in or refused it: see `refused`. */
export interface OpenClient {
  /**
   * @param namespace default: `/`
   * @returns the client, which is disconnected at the end of the test
   * @throws Error if the server cannot be reached
   */
  <Name extends string = '/'>(namespace?: KnownName<Name>, options?: IoClientOptions): Promise<TestClient<Declared<Name>>>;
  /** The same with the events of a contract. */
  <C extends Contract>(contract: C, options?: IoClientOptions): Promise<TestClient<C>>;
}

/** The methods of egg-mock that tests need most. `ioTest<MockApplication>()` has all of them, with the type of egg-mock. */
interface Mocks {
  mockService(service: string, method: string, answer: unknown): unknown;
  mockServiceError(service: string, method: string, error?: Error | string): unknown;
  mockCsrf(): unknown;
  mockHttpclient(url: string | RegExp, answer: unknown): unknown;
}

export interface IoTest<App = Application & Mocks> {
  /** The app, with the methods of egg-mock. What is mocked is restored at the end of each test. */
  readonly app: App;
  /** Opens clients. */
  readonly io: OpenClient;
  /** Where the app listens, as http://127.0.0.1:12345 */
  readonly url: string;
  /** Closes clients and app. It happens by itself at the end of the file. */
  close(): Promise<void>;
}

interface Started {
  readonly app: TestedApp | TestedCluster;
  readonly url: string;
  readonly cookieOf: (session: Readonly<Record<string, unknown>>) => Promise<string>;
  /** The server's side of a client. Undefined for a cluster. */
  readonly socketOf: ((namespace: string, id: string) => ServerSocket | undefined) | undefined;
  close(): Promise<void>;
}

const hooks = findHooks();
if (hooks) useHooks(hooks);

/** The apps that run, by their options. */
const running = new Map<string, Promise<Started>>();

/**
 * Starts the app, unless an earlier test of the file has started it with the same options, and has it listen on a free port.
 * Clients and mocks end with the test that has made them, and the app ends with the file.
 *
 * @throws what stops the boot of the app
 * @example
 * test('everybody gets what one client says', async () => {
 *   const { io } = await ioTest();
 *   const [alice, bob] = [await io('/chat'), await io('/chat')];
 *   assert.deepEqual(await alice.call('say', 'hello'), { delivered: true });
 *   assert.deepEqual(await bob.next('said'), ['hello']);
 * });
 */
export async function ioTest<App = Application & Mocks>(options: IoTestOptions = {}): Promise<IoTest<App>> {
  const { baseDir = process.cwd(), timeout = 5000 } = options;
  const key = JSON.stringify({ ...options, timeout: undefined, baseDir });
  const starting = options.app ? startedOf(options.app as TestedApp, async () => {}) : (running.get(key) ?? start({ ...options, baseDir }));
  if (!options.app) running.set(key, starting);
  const close = async (): Promise<void> => {
    running.delete(key);
    await (await starting).close();
  };
  let started: Started;
  try {
    started = await starting;
  } catch (error) {
    running.delete(key);
    throw error;
  }
  const { app, url } = started;

  const io = async (source: string | Contract = '/', { session, ...given }: IoClientOptions = {}): Promise<TestClient> => {
    const { namespace = typeof source === 'string' ? source : source.namespace, ...rest } = given;
    const { io: connect } = clientOf(baseDir);
    const cookie = session && (await started.cookieOf(session));
    const extraHeaders = { ...rest.extraHeaders, ...(cookie !== undefined && { cookie: joined(rest.extraHeaders?.['cookie'], cookie) }) };
    const settings = { forceNew: true, reconnection: false, transports: ['websocket'], autoConnect: false, ...rest, extraHeaders };
    const socket = connect(url + (namespace.startsWith('/') ? namespace : `/${namespace}`), settings);
    const socketOf = started.socketOf && (() => started.socketOf?.(namespace, socket.id ?? ''));
    endLater(async () => disconnect(socket, socketOf?.()));
    const client = new TestClient(socket, { timeout, socketOf });
    await client.settle();
    return client;
  };
  // the app is what its mock makes of it
  return { app: app as App, io, url, close };
}

async function start({ baseDir, workers, framework }: IoTestOptions & { baseDir: string }): Promise<Started> {
  const mock = await loadMock(baseDir);
  const shared = { baseDir, ...(framework !== undefined && { framework }) };
  mock.env('unittest');
  doAfterEach(mock.restore);
  let closing: Promise<void> | undefined;
  const ended = (close: () => Promise<unknown>): (() => Promise<void>) => {
    const once = async (): Promise<void> => (closing ??= close().then(() => {}));
    endWithFile(once);
    return once;
  };
  if (workers === undefined) {
    const app = mock.app({ ...shared, cache: false });
    const close = ended(async () => app.close());
    return startedOf(app, close);
  }
  const cluster = mock.cluster({ ...shared, workers, cache: false, coverage: false });
  let beside: TestedApp | undefined;
  const close = ended(async () => Promise.all([cluster.close(), beside?.close()]));
  await cluster.ready();
  const cookieInCluster = async (session: Readonly<Record<string, unknown>>): Promise<string> => {
    mock.env('unittest');
    beside ??= mock.app({ ...shared, cache: false });
    await beside.ready();
    return cookieOf(beside, session);
  };
  return { app: cluster, url: `http://127.0.0.1:${cluster.port}`, cookieOf: cookieInCluster, socketOf: undefined, close };
}

/** An app in this process, which listens from now on. */
async function startedOf(app: TestedApp, close: () => Promise<void>): Promise<Started> {
  const url = `http://127.0.0.1:${await listen(app)}`;
  const socketOf = (namespace: string, id: string): ServerSocket | undefined => app.io.of(namespace).sockets.get(id);
  return { app, url, cookieOf: async session => cookieOf(app, session), socketOf, close };
}

/** Resolves when the server has noticed, if that can be seen here. */
async function disconnect(socket: Socket, atServer: ServerSocket | undefined): Promise<void> {
  const hasGone = atServer?.connected === true && new Promise(resolve => atServer.once('disconnect', resolve));
  socket.disconnect();
  await hasGone;
}

/** The official client, as the app has it. */
function clientOf(baseDir: string): typeof OfficialClient {
  for (const from of [join(baseDir, 'package.json'), __filename]) {
    try {
      return createRequire(from)('socket.io-client') as typeof OfficialClient;
    } catch {
      // not there
    }
  }
  throw new Error('the package socket.io-client is missing: npm install --save-dev socket.io-client');
}

function joined(...cookies: (string | string[] | undefined)[]): string {
  return cookies
    .flat()
    .filter(cookie => cookie !== undefined && cookie !== '')
    .join('; ');
}
