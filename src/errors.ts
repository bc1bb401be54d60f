/**
 * Every error of this plugin: those that stop the boot, and the answer that a client gets.
 * The codes are explained one by one in docs/errors.md.
 */
import { STATUS_CODES } from 'node:http';

/** Codes of mistakes in the app's set-up. They stop the boot, or are logged where docs/errors.md says so. */
export type SetupCode =
  | 'IO_ADAPTER_MISSING'
  | 'IO_ADAPTER_UNKNOWN'
  | 'IO_AGENT_ALONE'
  | 'IO_CONFIG_INVALID'
  | 'IO_CONFIG_REMOVED'
  | 'IO_CONFIG_UNKNOWN_KEY'
  | 'IO_CONTROLLER_INVALID'
  | 'IO_CONTROLLER_UNKNOWN'
  | 'IO_CORS_CREDENTIALS'
  | 'IO_ENGINE_MISSING'
  | 'IO_MIDDLEWARE_INVALID'
  | 'IO_MIDDLEWARE_UNKNOWN'
  | 'IO_PROCESSES_UNKNOWN'
  | 'IO_RECOVERY_CLEANUP'
  | 'IO_RECOVERY_UNAVAILABLE'
  | 'IO_REDIS_CLIENT_UNKNOWN'
  | 'IO_ROUTE_DUPLICATE'
  | 'IO_ROUTE_DYNAMIC'
  | 'IO_ROUTE_INVALID'
  | 'IO_ROUTE_UNREACHABLE'
  | 'IO_RUN_FOLDER_UNUSABLE'
  | 'IO_SERVER_TIMEOUT'
  | 'IO_STICKY_MISSING'
  | 'IO_WS_ENGINE_MISSING';

/** Codes of an outage of the backplane to other servers. */
export type PulsedCode = 'IO_DATABASE_DOWN' | 'IO_REDIS_DOWN';

/**
 * The codes of an `OutageError`: `IO_REDIS_DOWN` or `IO_DATABASE_DOWN` where the other servers cannot be reached,
 * `IO_HUB_DOWN` where the other workers of this machine cannot, `IO_HUB_OVERFLOW` where more waits to be sent to these than fits.
 */
export type OutageCode = PulsedCode | 'IO_HUB_DOWN' | 'IO_HUB_OVERFLOW';

/** Codes of what goes wrong while the app runs; only ever logged, but for those that a call of the app rejects with. */
export type RuntimeCode =
  | OutageCode
  | 'IO_ANSWER_INVALID'
  | 'IO_CLIENT_GONE'
  | 'IO_CORS_MISSING'
  | 'IO_DEPRECATED'
  | 'IO_ID_INVALID'
  | 'IO_JSONP_REFUSED'
  | 'IO_MESSAGE_INVALID'
  | 'IO_MESSAGE_TOO_LARGE'
  | 'IO_NAMESPACE_UNKNOWN'
  | 'IO_ONEVENT_REPLACED'
  | 'IO_ORIGIN_MISMATCH'
  | 'IO_ORIGIN_REFUSED'
  | 'IO_RESPONSE_IGNORED'
  | 'IO_PACKET_NESTED'
  | 'IO_RECOVERY_AUTH'
  | 'IO_ROOM_NOT_STRING'
  | 'IO_SERVER_UNKNOWN'
  | 'IO_UPGRADE_MISSING';

/** A mistake in the app's set-up, found while Egg starts: it stops the boot. */
export class SetupError extends Error {
  override readonly name = 'SetupError';

  constructor(
    readonly code: SetupCode,
    problem: string,
    options?: ErrorOptions,
  ) {
    super(messageOf(code, problem), options);
  }
}

/**
 * Calls that need the answer of other workers or servers reject with this when these cannot be reached: `fetchSockets()`,
 * `serverSideEmitWithAck()` and `emitWithAck()` to many, which adds what has been answered as `responses`. `local` before the call
 * asks this process alone, and goes on working. Where a handler does not catch it, the client gets `INTERNAL_SERVER_ERROR`;
 * where connection middleware does not, the client comes back by itself.
 *
 * @example
 * try {
 *   return (await app.io.fetchSockets()).length;
 * } catch (error) {
 *   if (!(error instanceof OutageError)) throw error;
 *   return (await app.io.local.fetchSockets()).length;
 * }
 */
export class OutageError extends Error {
  override readonly name = 'OutageError';

  constructor(
    readonly code: OutageCode,
    problem: string,
    options?: ErrorOptions,
  ) {
    super(messageOf(code, problem), options);
  }
}

/** What waits for the answer of a client rejects with this when the client goes. No client is told of it. */
export class ClientGoneError extends Error {
  override readonly name = 'ClientGoneError';
  readonly code = 'IO_CLIENT_GONE';

  constructor() {
    super(messageOf('IO_CLIENT_GONE', 'the client has gone, and will not answer any more'));
  }
}

/** How a problem reads, thrown or logged; the page comes with the package. */
export function messageOf(code: SetupCode | RuntimeCode, problem: string): string {
  return `[egg-socket.io] ${code}: ${problem} (egg-socket.io/docs/errors.md#${code.toLowerCase()})`;
}

export interface IoErrorOptions extends ErrorOptions {
  /** An HTTP status that says what kind of error it is. Default: 400. From 500 on it is logged as an error, below as a warning. */
  status?: number;
  /** Anything serializable that helps the client; sent along as `details`. */
  details?: unknown;
}

/**
 * An error made to be shown: the client gets its code, message and details whole, in production too.
 * Throw it from a controller or from middleware.
 *
 * @example throw new IoError('ROOM_FULL', 'This room is full', { status: 409, details: { limit: 20 } });
 */
export class IoError extends Error {
  override readonly name = 'IoError';
  readonly expose = true;
  readonly status: number;
  readonly details: unknown;

  constructor(
    readonly code: string,
    message: string,
    { status = 400, details, ...options }: IoErrorOptions = {},
  ) {
    super(message, options);
    this.status = status;
    this.details = details;
  }
}

/** What a client is told of an error: the `error` of an acknowledgement, or the `data` of a refusal. */
export interface ErrorAnswer {
  /** The error's own code where it is made to be shown, else the name of its status, as `INTERNAL_SERVER_ERROR`. */
  code: string;
  message: string;
  details?: unknown;
  /** In a refusal: only for now, the client should try again. */
  retry?: true;
}

/** Whether errors are shown whole to clients, made to be shown or not: only while developing and testing, as Egg does for HTTP. */
export function revealsErrors(env: string): boolean {
  return env === 'local' || env === 'unittest';
}

/** The answer to a packet whose handling failed. */
export function answerTo(error: Error, reveal: boolean): ErrorAnswer {
  const { code, status, details } = describe(error);
  if (isShown(error)) return { code: code ?? statusName(status ?? 400), message: error.message, ...(details !== undefined && { details }) };
  return { code: statusName(500), message: reveal ? error.message : statusText(500) };
}

/**
 * The answer to a client whose connection is refused. A plain Error thrown there is the way to say no,
 * so its message is shown; those of bugs, systems and libraries are not.
 */
export function refusalFor(error: Error, reveal: boolean): ErrorAnswer {
  if (isShown(error) || isFault(error)) return answerTo(error, reveal); // in full, or as little as for a packet
  return { code: describe(error).code ?? 'CONNECTION_REFUSED', message: error.message };
}

/** Whether an error asks for a developer's attention rather than being an answer to a client. */
export function isUnexpected(error: Error): boolean {
  if (error instanceof ClientGoneError) return false; // clients go as they like
  return !isShown(error) || (describe(error).status ?? 400) >= 500;
}

/**
 * Whether an error is a bug, one of a system or library, or says of itself that it is not to be shown:
 * never meant for a client, not even as a refusal. What is left are plain Errors, and those of `assert(user, 'please log in')`.
 */
export function isFault(error: Error): boolean {
  if (isShown(error)) return false;
  return !PLAIN.has(error.constructor.name) || isOfNode(error) || describe(error).expose === false;
}

/**
 * Whether it is trouble that may be over at the next try, rather than an answer or a bug: a status of 500 or more, an error of the system
 * or the network, or of the session store, or an outage of the way to other servers. A status decides before all else that an error says of itself.
 */
export function isTemporary(error: Error, depth = 0): boolean {
  if (ofStore.has(error) || error instanceof OutageError) return true;
  const { status = 0, code } = describe(error);
  if (status >= 400) return status >= 500;
  const { errno, syscall } = error as NodeJS.ErrnoException;
  if (errno !== undefined || syscall !== undefined || (code !== undefined && NETWORK_CODES.has(code))) return true;
  // `fetch failed` says nothing more of itself; causes may go in a circle
  return depth < 5 && isFault(error) && error.cause instanceof Error && isTemporary(error.cause, depth + 1);
}

/** What the session store has rejected with, whatever that is: only for now. */
export function storeError(thrown: unknown): Error {
  const error = toError(thrown);
  ofStore.add(error);
  return error;
}

/** A text that may come from a client, for the log: short, and on one line. */
export function oneLine(text: string): string {
  return text.slice(0, 500).replaceAll(/[\p{Cc}\u2028\u2029]+/gu, ' ');
}

/** What was thrown, as an Error: user code may throw anything. */
export function toError(thrown: unknown): Error {
  if (thrown instanceof Error || Object.prototype.toString.call(thrown) === '[object Error]') return thrown as Error; // second test: an Error of another realm
  if (typeof thrown === 'string') {
    const error = new Error(thrown);
    error.stack = `Error: ${thrown}\n    a string was thrown, which has no stack: throw an Error to see where`; // ours would lead nowhere
    return error;
  }
  // a fault: nobody has decided that clients, or the log, may see that value
  return new TypeError(
    `a value that is no Error was thrown: ${thrown !== null && typeof thrown === 'object' ? `an object with ${Object.keys(thrown).join(', ') || 'no keys'}` : typeof thrown}`,
  );
}

const ofStore = new WeakSet<Error>();

/** Of errors that have no errno: of happy eyeballs, c-ares, undici, and the clients of databases. */
const NETWORK_CODES: ReadonlySet<string> = new Set(
  `ECONNREFUSED ECONNRESET ECONNABORTED ETIMEDOUT ESOCKETTIMEDOUT EPIPE ENOTCONN ESHUTDOWN
  EHOSTUNREACH EHOSTDOWN ENETUNREACH ENETDOWN ENETRESET EADDRNOTAVAIL
  ENOTFOUND EAI_AGAIN EAI_FAIL EAI_NODATA ESERVFAIL EREFUSED ETIMEOUT
  UND_ERR_CONNECT_TIMEOUT UND_ERR_HEADERS_TIMEOUT UND_ERR_BODY_TIMEOUT UND_ERR_SOCKET UND_ERR_CLOSED
  PROTOCOL_CONNECTION_LOST PROTOCOL_SEQUENCE_TIMEOUT`.split(/\s+/),
);

const PLAIN: ReadonlySet<string> = new Set(['Error', 'AssertionError']);

/** Fields of Node's own errors, and their codes. */
const NODE_FIELDS = ['cmd', 'stderr', 'syscall', 'path', 'errno'] as const;
const NODE_CODES = /^MODULE_NOT_FOUND$|^ERR_(?:MODULE|OSSL|STREAM|SOCKET|INVALID)_/;

/** Errors made to be shown: IoError, and those of http-errors (`ctx.throw`), egg-validate and the like. */
function isShown(error: Error): boolean {
  const { expose, status } = describe(error);
  return expose ?? (status !== undefined && status >= 400 && status < 500 && !isOfNode(error));
}

/** Whether an error is one of Node's own, which are plain Errors mostly: their messages have paths in them, commands and their output. */
export function isOfNode(error: Error): boolean {
  const { code } = error as { code?: unknown };
  if (typeof code === 'number' && code >= 400 && code < 500) return false; // a refusal of the app's; what a command exits with is below 256
  return NODE_FIELDS.some(field => Reflect.get(error, field) !== undefined) || (typeof code === 'string' && NODE_CODES.test(code));
}

/** jsonwebtoken's, of egg-jwt and others: they say that a token is wrong or has expired, and have no status. */
const JWT_ERRORS: ReadonlySet<string> = new Set(['JsonWebTokenError', 'TokenExpiredError', 'NotBeforeError', 'UnauthorizedError']);

/** The fields that errors carry by convention, where they have the type that the convention says. */
function describe(error: Error): { code?: string; status?: number; expose?: boolean; details?: unknown } {
  const { code, status, expose, details, errors } = error as Error & Record<'code' | 'status' | 'expose' | 'details' | 'errors', unknown>;
  return {
    ...(typeof code === 'string' && { code }),
    ...(typeof status === 'number' ? { status } : JWT_ERRORS.has(error.name) && { status: 401 }),
    ...(typeof expose === 'boolean' && { expose }),
    details: details ?? errors, // egg-validate names them errors
  };
}

function statusText(status: number): string {
  return STATUS_CODES[status] ?? 'Error';
}

function statusName(status: number): string {
  return statusText(status)
    .toUpperCase()
    .replaceAll(/[^A-Z]+/g, '_');
}
