/** `egg-socket.io/test`: an app that listens, and its clients, in one line. For node:test, mocha, Jest and Vitest. */
import type { Application } from 'egg';
import type { Socket as ServerSocket } from 'socket.io';
import { doAfterEach, endWithFile, findHooks, useHooks } from './lifetimes';
import { type OpenClient, openerOf, type Reached } from './open';
import { cookieOf } from './session';
import { listen, loadMock, type TestedApp, type TestedCluster } from './start';

export { ReplyError } from '../contract/reply';
export type { IoClientOptions, OpenClient } from './open';
export { TestClient } from './test-client';

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

/** Of an app that `ioTest()` makes. */
interface AppOptions {
  readonly baseDir: string;
  readonly framework: string | undefined;
  readonly workers: number | undefined;
}

interface Started extends Reached {
  readonly app: TestedApp | TestedCluster;
  close(): Promise<void>;
}

/** In ms. */
const TIMEOUT = 5000;

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
  const { app: given, baseDir = process.cwd(), framework, workers, timeout = TIMEOUT } = options;
  const started = given ? await startedOf(given as TestedApp, async () => {}) : await sharedApp({ baseDir, framework, workers });
  const { app, url, close } = started;
  return { app: app as App, io: openerOf({ ...started, baseDir, timeout }), url, close }; // the app is what its mock makes of it
}

/**
 * Opens clients of a server that runs already, such as one that is deployed for tests. As with a cluster, `all()` does not work; and `session`
 * does not either.
 *
 * @param url of the server, as https://chat.example.com
 * @example
 * const io = ioAt('http://127.0.0.1:7001');
 * const alice = await io('/chat', { auth: { token } });
 */
export function ioAt(url: string, { timeout = TIMEOUT }: Pick<IoTestOptions, 'timeout'> = {}): OpenClient {
  const cookieOfNobody = async (): Promise<never> => {
    throw new Error('a session without a login needs an app that ioTest() has started');
  };
  return openerOf({ url: new URL(url).origin, baseDir: process.cwd(), timeout, cookieOf: cookieOfNobody, socketOf: undefined });
}

/** The app that an earlier test has started with the same options, or a new one. */
async function sharedApp(options: AppOptions): Promise<Started> {
  const key = JSON.stringify(options);
  const forget = (): void => void running.delete(key);
  const starting = running.get(key) ?? start(options, forget);
  running.set(key, starting);
  return starting;
}

/** @param forget called when the app has not started, or begins to close: the next test gets another one */
async function start({ baseDir, framework, workers }: AppOptions, forget: () => void): Promise<Started> {
  const apps: (TestedApp | TestedCluster)[] = [];
  let closing: Promise<void> | undefined;
  const closeAll = async (): Promise<void> => {
    forget();
    await Promise.all(apps.map(async app => app.close()));
  };
  const close = async (): Promise<void> => (closing ??= closeAll());
  try {
    const mock = await loadMock(baseDir);
    mock.env('unittest');
    doAfterEach(mock.restore);
    const settings = { baseDir, ...(framework !== undefined && { framework }), cache: false };
    const appHere = (): TestedApp => {
      const app = mock.app(settings);
      apps.push(app);
      return app;
    };
    endWithFile(close);
    if (workers === undefined) return await startedOf(appHere(), close);
    const cluster = mock.cluster({ ...settings, workers, coverage: false });
    apps.push(cluster);
    await cluster.ready();
    let beside: TestedApp | undefined;
    const cookieInCluster = async (session: Readonly<Record<string, unknown>>): Promise<string> => {
      mock.env('unittest');
      beside ??= appHere();
      await beside.ready();
      return cookieOf(beside, session);
    };
    return { app: cluster, url: `http://127.0.0.1:${cluster.port}`, cookieOf: cookieInCluster, socketOf: undefined, close };
  } catch (error) {
    await close().catch(() => {}); // now, since tegg has one table for the apps of a process; why it has not started is what counts
    throw error;
  }
}

/** An app in this process, which listens from now on. */
async function startedOf(app: TestedApp, close: () => Promise<void>): Promise<Started> {
  const url = `http://127.0.0.1:${await listen(app)}`;
  // of() would make a namespace that does not exist
  const socketOf = (namespace: string, id: string): ServerSocket | undefined => app.io._nsps.get(namespace)?.sockets.get(id);
  return { app, url, cookieOf: async session => cookieOf(app, session), socketOf, close };
}
