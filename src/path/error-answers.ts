/** What an error of the app means: which answer a client gets, whether it is over at the next try, and how it is logged. */
import { STATUS_CODES } from 'node:http';
import { ClientGoneError, type ErrorAnswer, OutageError, toError } from '../errors';

/** What the session store has rejected with. */
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

/** jsonwebtoken's, of egg-jwt and others: they say that a token is wrong or has expired, and have no status. */
const JWT_ERRORS: ReadonlySet<string> = new Set(['JsonWebTokenError', 'TokenExpiredError', 'NotBeforeError', 'UnauthorizedError']);

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
