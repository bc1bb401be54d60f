/** Classifies errors of the app: the answer to the client, whether the failure is temporary, and how it is logged. */
import { STATUS_CODES } from 'node:http';
import { ClientGoneError, type ErrorAnswer, IoError, OutageError } from '../errors';
import { isError, toError } from '../thrown';

/** Errors of the session store. */
const ofStore = new WeakSet<Error>();

/** Codes of network errors without an errno: from "happy eyeballs", c-ares, undici and clients of databases. */
const NETWORK_CODES: ReadonlySet<string> = new Set(
  `ECONNREFUSED ECONNRESET ECONNABORTED ETIMEDOUT ESOCKETTIMEDOUT EPIPE ENOTCONN ESHUTDOWN
  EHOSTUNREACH EHOSTDOWN ENETUNREACH ENETDOWN ENETRESET EADDRNOTAVAIL
  ENOTFOUND EAI_AGAIN EAI_FAIL EAI_NODATA ESERVFAIL EREFUSED ETIMEOUT
  UND_ERR_CONNECT_TIMEOUT UND_ERR_HEADERS_TIMEOUT UND_ERR_BODY_TIMEOUT UND_ERR_SOCKET UND_ERR_CLOSED
  PROTOCOL_CONNECTION_LOST PROTOCOL_SEQUENCE_TIMEOUT`.split(/\s+/),
);

/**
 * What a client gets of the `errors` of a validator. The names are those of parameter (egg-validate), class-validator, joi, ajv and zod. Other
 * fields may hold models, the values that were validated, or errors.
 */
const ISSUE_FIELDS = ['message', 'code', 'field', 'path', 'type', 'instancePath', 'keyword', 'property', 'expected', 'children'] as const;
/** Those with names of their own: of the rules of class-validator, or of the parameters of ajv's keyword. */
const ISSUE_TABLES = ['constraints', 'params'] as const;
/** Limits on it: values in all, entries of each list and table, levels, and characters of each text and name. */
const MAX_VALUES = 200;
const MAX_ENTRIES = 20;
const MAX_LEVELS = 10;
const MAX_TEXT = 500;

const PLAIN: ReadonlySet<string> = new Set(['Error', 'AssertionError']);

/** Fields of Node's own errors, and their codes. */
const NODE_FIELDS = ['cmd', 'stderr', 'syscall', 'path', 'errno'] as const;
const NODE_CODES = /^MODULE_NOT_FOUND$|^ERR_(?:MODULE|OSSL|STREAM|SOCKET|INVALID)_/;

/** Errors of jsonwebtoken and express-jwt for wrong or expired tokens. They have no status. */
const JWT_ERRORS: ReadonlySet<string> = new Set(['JsonWebTokenError', 'TokenExpiredError', 'NotBeforeError', 'UnauthorizedError']);

/** The answer to a packet whose handling failed. */
export function answerTo(error: Error, reveal: boolean): ErrorAnswer {
  if (isShown(error)) {
    const details = detailsOf(error);
    return { code: codeOf(error) ?? statusName(statusOf(error) ?? 400), message: error.message, ...(details !== undefined && { details }) };
  }
  return { code: statusName(500), message: reveal ? error.message : statusText(500) };
}

/**
 * The answer to a client whose connection is refused. Middleware throws a plain Error to refuse a client,
 * so its message is shown; the messages of bugs, the system and libraries are not.
 */
export function refusalFor(error: Error, reveal: boolean): ErrorAnswer {
  if (isShown(error) || isFault(error)) return answerTo(error, reveal); // the same as for a packet
  return { code: codeOf(error) ?? 'CONNECTION_REFUSED', message: error.message };
}

/** Whether an error needs a developer's attention, unlike an answer that is meant for the client. */
export function isUnexpected(error: Error): boolean {
  if (error instanceof IoError && error.code === 'TRY_AGAIN') return false; // the outage has a line of its own
  if (error instanceof ClientGoneError || error.cause instanceof ClientGoneError) return false; // clients may leave at any time; many libraries wrap the reason of a signal
  return !isShown(error) || (statusOf(error) ?? 400) >= 500;
}

/**
 * Whether an error is a bug, comes from the system or a library, or has `expose: false`, so that it is never meant for a client, not even
 * as a refusal. All others are plain Errors, including those of `assert(user, 'please log in')`.
 */
export function isFault(error: Error): boolean {
  if (isShown(error)) return false;
  return !PLAIN.has(error.constructor.name) || isOfNode(error) || exposeOf(error) === false;
}

/**
 * Whether a failure may be over at the next attempt: a status of 500 or more, an error of the system, the network or the session store, or an
 * outage of the backplane. If an error has a status, only that counts.
 */
export function isTemporary(error: Error, depth = 0): boolean {
  if (ofStore.has(error) || error instanceof OutageError) return true;
  const status = statusOf(error) ?? 0;
  if (status >= 400) return status >= 500;
  const { errno, syscall } = error as NodeJS.ErrnoException;
  const code = codeOf(error);
  if (errno !== undefined || syscall !== undefined || (code !== undefined && NETWORK_CODES.has(code))) return true;
  // `fetch failed` has the details in its cause; causes may be circular
  return depth < 5 && isFault(error) && error.cause instanceof Error && isTemporary(error.cause, depth + 1);
}

/** Whether what was thrown says that the client may not do something, such as an error of `ctx.throw(401)`, or of a library for tokens. */
export function isDenial(thrown: unknown): boolean {
  try {
    const status = statusOf(Object(thrown) as Fields);
    return status === 401 || status === 403;
  } catch {
    return false; // a getter of the app's
  }
}

/** Marks an error of the session store as temporary. */
export function storeError(thrown: unknown): Error {
  const error = toError(thrown);
  ofStore.add(error);
  return error;
}

/** Whether an error is made to be shown: IoError, and those of http-errors (`ctx.throw`), egg-validate and so on. */
function isShown(error: Error): boolean {
  const expose = exposeOf(error);
  if (expose !== undefined) return expose;
  const status = statusOf(error);
  return status !== undefined && status >= 400 && status < 500 && !isOfNode(error);
}

/** Whether an error is one of Node's own. Most of these are plain Errors, but their messages contain paths, commands and output. */
export function isOfNode(error: Error): boolean {
  const { code } = error as { code?: unknown };
  if (typeof code === 'number' && code >= 400 && code < 500) return false; // an error of the app; exit codes of commands are below 256
  return NODE_FIELDS.some(field => Reflect.get(error, field) !== undefined) || (typeof code === 'string' && NODE_CODES.test(code));
}

/** The conventional fields of errors, if they have the conventional type. */
type Fields = Error & { readonly code?: unknown; readonly status?: unknown; readonly expose?: unknown };

function codeOf({ code }: Fields): string | undefined {
  return typeof code === 'string' && code !== '' ? code : undefined;
}

function statusOf({ name, status }: Fields): number | undefined {
  if (typeof status === 'number') return status;
  return JWT_ERRORS.has(name) ? 401 : undefined;
}

function exposeOf({ expose }: Fields): boolean | undefined {
  return typeof expose === 'boolean' ? expose : undefined;
}

/** An error's own details, or the list of a validator: egg-validate names it `errors`. */
function detailsOf(error: Error): unknown {
  try {
    const { details, errors } = error as Error & Record<'details' | 'errors', unknown>;
    return details ?? (error instanceof AggregateError ? undefined : copyIssues(errors));
  } catch {
    return undefined; // a getter that throws
  }
}

/** Copies the list of a validator, or its table by field, as plain data. Returns undefined if nothing is left. */
function copyIssues(errors: unknown): unknown {
  let left = MAX_VALUES;
  return copyTable(errors, 1) ?? copy(errors, 1);

  function copy(value: unknown, level: number): unknown {
    if (value === undefined || left === 0 || level > MAX_LEVELS || isError(value)) return undefined;
    left--; // for each value that is looked at, since a list may hold nothing to copy
    if (typeof value === 'object' && value !== null) {
      if (Array.isArray(value)) return copyList(value, level);
      const fields = ISSUE_FIELDS.map(name => [name, copy(Reflect.get(value, name), level + 1)] as const);
      const tables = ISSUE_TABLES.map(name => [name, copyTable(Reflect.get(value, name), level + 1)] as const);
      return objectOf([...fields, ...tables]);
    }
    if (typeof value === 'string') return value.slice(0, MAX_TEXT);
    return typeof value === 'number' || typeof value === 'boolean' ? value : undefined;
  }

  function copyList(values: readonly unknown[], level: number): unknown[] | undefined {
    const copies = values.slice(0, MAX_ENTRIES).map(value => copy(value, level + 1));
    const kept = copies.filter(value => value !== undefined);
    return kept.length > 0 ? kept : undefined;
  }

  function copyTable(value: unknown, level: number): object | undefined {
    if (!isPlainObject(value)) return undefined;
    const names = Object.keys(value).slice(0, MAX_ENTRIES);
    return objectOf(names.map(name => [name.slice(0, MAX_TEXT), copy(value[name], level + 1)]));
  }
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/** Returns undefined if no entry has a value. */
function objectOf(entries: ReadonlyArray<readonly [name: string, value: unknown]>): object | undefined {
  const kept = entries.filter(([, value]) => value !== undefined);
  return kept.length > 0 ? Object.fromEntries(kept) : undefined;
}

function statusText(status: number): string {
  return STATUS_CODES[status] ?? 'Error';
}

function statusName(status: number): string {
  return statusText(status)
    .toUpperCase()
    .replaceAll(/[^A-Z]+/g, '_');
}
