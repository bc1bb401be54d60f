/**
 * The part of Egg that this plugin uses, the same in egg 3, 4.0 and 4.1.
 * Egg's own types differ between these versions, so the plugin cannot be compiled against them.
 */
import type { AsyncLocalStorage } from 'node:async_hooks';
import type { EventEmitter } from 'node:events';
import type { IncomingMessage, Server as HttpServer, ServerResponse } from 'node:http';

export interface Logger {
  info(message: string, ...args: unknown[]): void;
  warn(message: string, ...args: unknown[]): void;
  error(message: string, ...args: unknown[]): void;
}

export interface EggContext {
  readonly logger: Logger;
  /** The address of the client, by `config.proxy`. Empty or undefined if there is none. */
  readonly ip?: string;
  /** Absent if the session plugin is off. */
  session?: EggSession | null;
  readonly cookies: { get(name: string, options: unknown): unknown };
  /** Of the security plugin. Absent if that is off. */
  isSafeDomain?(domain: string): boolean;
}

/** The session of koa-session. */
export interface EggSession {
  /** Whether the request had no cookie of a session. */
  readonly isNew?: boolean;
  /** Its key in an external store. */
  readonly externalKey?: string;
  /** In ms, or 'session'. The setter has the session saved, even without changes. */
  maxAge: number | 'session' | undefined;
  toJSON(): Record<string, unknown>;
  manuallyCommit(): Promise<void>;
}

export type SessionMiddleware = (ctx: EggContext, next: () => Promise<void>) => Promise<void>;

interface EggConfig {
  /** The name of the app. */
  readonly name: string;
  readonly env: string;
  /** Whether to trust headers of a proxy. */
  readonly proxy?: boolean;
  /** The headers with the requested host name, if `proxy` is on. */
  readonly hostHeaders?: string;
  /** The folder for files that exist while the app runs. */
  readonly rundir: string;
  /** Time in ms after which the HTTP server closes an idle connection. Egg's default is null: never. */
  readonly serverTimeout?: number | null;
  readonly io?: unknown;
  /** The config of egg-redis or @eggjs/redis. */
  readonly redis?: unknown;
  /** The config of the security plugin. */
  readonly security?: { readonly csrf?: { readonly headerName?: string } };
  readonly session?: { readonly key?: string; readonly store?: unknown; readonly ContextStore?: unknown; readonly autoCommit?: boolean };
}

/** The options with which Egg was started. */
interface StartOptions {
  /** `single`: the app and its agent run in one process, whose own code creates the HTTP server. Otherwise absent. */
  readonly mode?: string;
  /** The number of workers. Absent in a single process. */
  readonly workers?: number;
  readonly sticky?: boolean;
  /** A free port that the master has chosen for egg-cluster-client. Differs at each start. */
  readonly clusterPort?: number;
}

/** The context of an HTTP request. */
export interface HttpContext {
  readonly req: IncomingMessage;
  /** The address of the client, by `config.proxy`. */
  readonly ip: string;
  readonly query: Readonly<Record<string, unknown>>;
  /** `body` is what the body parser has read. */
  readonly request: { readonly body?: unknown };
  /** A token against forged requests, of the security plugin. Absent if that is off. */
  readonly csrf?: string;
  readonly method: string;
  readonly path: string;
  status: number;
  type: string;
  body: unknown;
  set(header: string, value: string): void;
  /** Of the security plugin, for this answer. Absent if that is off. */
  readonly securityOptions?: { csp?: object };
}

/** Messages between agent and workers. */
export interface Messenger {
  sendToAgent(action: string, data?: unknown): unknown;
  sendToApp(action: string, data?: unknown): unknown;
  on(action: string, listener: (data: unknown) => void): unknown;
}

export interface EggAgent {
  readonly baseDir: string;
  readonly messenger: Messenger;
  readonly config: EggConfig;
  readonly coreLogger: Logger;
  readonly logger: Logger;
  readonly options: StartOptions;
}

export interface EggApplication extends EventEmitter {
  readonly messenger: Messenger;
  readonly baseDir: string;
  readonly config: EggConfig;
  readonly coreLogger: Logger;
  readonly logger: Logger;
  readonly options: StartOptions;
  /** The prototypes of contexts, requests and responses. */
  readonly context: EggContext;
  readonly request: object;
  readonly response: object;
  /** The exports of `app/service`, by file and folder. */
  readonly serviceClasses?: Record<string, unknown>;
  readonly ctxStorage: AsyncLocalStorage<unknown>;
  readonly middlewares: Record<string, unknown>;
  /** By name. */
  readonly plugins?: Record<string, { readonly enable?: boolean }>;
  /** The HTTP server, once it exists. */
  readonly server?: HttpServer | null;
  /** A logger of `config.customLogger`. */
  getLogger(name: string): Logger | null;
  callback(): (req: IncomingMessage, res: ServerResponse) => unknown;
  /** Adds HTTP middleware. */
  use(middleware: (ctx: HttpContext, next: () => Promise<unknown>) => Promise<void>): unknown;
  /** Calls the function when the app is ready. */
  ready(fn: () => void): unknown;
  close(): Promise<void>;
  createContext(req: IncomingMessage, res: ServerResponse): EggContext;
  createAnonymousContext(): EggContext;
  /** Converts a generator function to an async one in egg 3. Throws in egg 4. */
  toAsyncFunction?(fn: unknown): unknown;
}

/** Whether a value is a class, and not a factory function that Egg calls with the app. */
export function isClass(value: unknown): value is new (ctx: object) => object {
  return typeof value === 'function' && /^class\b/.test(Function.prototype.toString.call(value));
}
