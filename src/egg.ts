/**
 * The part of Egg that this plugin stands on, and that egg 3, 4 and 4.1 have in common.
 * Egg's own types differ between these versions, so that the plugin could not be compiled against all of them.
 */
import type { AsyncLocalStorage } from 'node:async_hooks';
import type { EventEmitter } from 'node:events';
import type { IncomingMessage, Server as HttpServer, ServerResponse } from 'node:http';

export interface Logger {
  debug(message: string, ...args: unknown[]): void;
  info(message: string, ...args: unknown[]): void;
  warn(message: string, ...args: unknown[]): void;
  error(message: string, ...args: unknown[]): void;
}

export interface EggContext {
  readonly logger: Logger;
  /** Absent where the session plugin is off. */
  session?: EggSession | null;
  readonly cookies: { get(name: string, options: unknown): unknown };
  /** Of the security plugin: absent where that is off. */
  isSafeDomain?(domain: string): boolean;
}

/** The session object of koa-session, as far as it is used here. */
export interface EggSession {
  /** Whether it was made for want of one: no cookie names it. */
  readonly isNew?: boolean;
  /** In ms, or 'session'. A setter: to assign it sets `_requireSave`. */
  maxAge: number | 'session' | undefined;
  /** Whether it is to be saved even if nothing has changed. */
  _requireSave?: boolean;
  toJSON(): Record<string, unknown>;
  manuallyCommit(): Promise<void>;
}

export type SessionMiddleware = (ctx: EggContext, next: () => Promise<void>) => Promise<void>;

interface EggConfig {
  readonly env: string;
  /** Whether a proxy in front of the app is trusted. */
  readonly proxy?: boolean;
  /** The headers that carry the host name which the client asked for, when `proxy` is on. */
  readonly hostHeaders?: string;
  /** The folder for what exists while the app runs. */
  readonly rundir: string;
  /** How long a connection to the HTTP server may be quiet, in ms. Egg's default is null: for ever. */
  readonly serverTimeout?: number | null;
  readonly io?: unknown;
  /** Of egg-redis or @eggjs/redis. */
  readonly redis?: unknown;
  readonly session?: { readonly store?: unknown; readonly ContextStore?: unknown; readonly autoCommit?: boolean };
}

/** What Egg was started with. */
interface StartOptions {
  /** Absent, but for `single`: the app and its agent in one process, whose code makes the HTTP server. */
  readonly mode?: string;
  /** Absent where there is one process for all. */
  readonly workers?: number;
  readonly sticky?: boolean;
  /** A port that the master has found free, for clients of egg-cluster-client: another one at each start. */
  readonly clusterPort?: number;
}

/** Between the agent and the workers. */
interface Messenger {
  sendToApp(action: string, data?: unknown): unknown;
  on(action: string, listener: (data: unknown) => void): unknown;
}

/** The process beside the workers. */
export interface EggAgent {
  readonly baseDir: string;
  readonly messenger: Messenger;
  readonly config: EggConfig;
  readonly coreLogger: Logger;
  readonly logger: Logger;
  readonly options: StartOptions;
}

/** The objects that tegg has made for one context. */
export interface TeggContext {
  set(key: symbol, value: unknown): void;
  /** Runs what other plugins have to do when a context begins, then makes the objects that were added. */
  init(lifecycle: object): Promise<void>;
  addProtoToCreate(name: PropertyKey, proto: object): void;
  getOrCreateEggObject(name: PropertyKey, proto: object): Promise<unknown>;
  destroy(lifecycle: object): Promise<void>;
}

export interface EggApplication extends EventEmitter {
  readonly messenger: Messenger;
  readonly baseDir: string;
  readonly config: EggConfig;
  readonly coreLogger: Logger;
  readonly logger: Logger;
  readonly options: StartOptions;
  /** The prototypes of every context and request. */
  readonly context: EggContext;
  readonly request: object;
  readonly response: object;
  /** What `app/service` exports, by file and folder. */
  readonly serviceClasses?: Record<string, unknown>;
  readonly ctxStorage: AsyncLocalStorage<unknown>;
  readonly middlewares: Record<string, unknown>;
  /** The HTTP server, once there is one. */
  readonly server?: HttpServer | null;
  callback(): (req: IncomingMessage, res: ServerResponse) => unknown;
  /** Calls the function when the app is ready. */
  ready(fn: () => void): unknown;
  createContext(req: IncomingMessage, res: ServerResponse): EggContext;
  createAnonymousContext(): EggContext;
  /** Of tegg, absent without it: the base class of its contexts, and what makes their ids. */
  readonly abstractEggContext?: new () => TeggContext;
  readonly identicalUtil?: { createContextId(): string };
  /** Makes a generator function asynchronous in egg 3, and throws in egg 4. */
  toAsyncFunction?(fn: unknown): unknown;
}

/** Whether it is a class, rather than a function that Egg would call with the app. */
export function isClass(value: unknown): value is new (ctx: object) => object {
  return typeof value === 'function' && /^class\b/.test(Function.prototype.toString.call(value));
}
