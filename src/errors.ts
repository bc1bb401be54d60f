/**
 * Every error of this plugin: those that stop the boot, and the answer that a client gets.
 * The codes are explained one by one in docs/errors.md.
 */
import { STATUS_CODES } from 'node:http';
import { inspect } from 'node:util';

/** Codes of mistakes in the app's set-up. They stop the boot, or are logged where docs/errors.md says so. */
export type SetupCode =
  | 'IO_CONFIG_INVALID'
  | 'IO_CONFIG_REMOVED'
  | 'IO_CONFIG_UNKNOWN_KEY'
  | 'IO_CONTROLLER_INVALID'
  | 'IO_MIDDLEWARE_INVALID'
  | 'IO_MIDDLEWARE_UNKNOWN'
  | 'IO_ROUTE_DUPLICATE'
  | 'IO_ROUTE_DYNAMIC'
  | 'IO_ROUTE_INVALID'
  | 'IO_ROUTE_UNREACHABLE'
  | 'IO_STICKY_MISSING'
  | 'IO_WS_ENGINE_MISSING';

/** A mistake in the app's set-up, found while Egg starts: it stops the boot. */
export class SetupError extends Error {
  override readonly name = 'SetupError';

  constructor(
    readonly code: SetupCode,
    problem: string,
  ) {
    super(setupMessage(code, problem));
  }
}

/** What a set-up problem looks like in a log, thrown or only warned of. */
export function setupMessage(code: SetupCode, problem: string): string {
  return `[egg-socket.io] ${code}: ${problem} (docs/errors.md#${code.toLowerCase()})`;
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
 * so its message is shown; that of a bug or of a failing system is not.
 */
export function refusalFor(error: Error, reveal: boolean): ErrorAnswer {
  if (isShown(error) || isFault(error)) return answerTo(error, reveal);
  return { code: describe(error).code ?? 'CONNECTION_REFUSED', message: error.message };
}

/** Whether an error asks for a developer's attention rather than being an answer to a client. */
export function isUnexpected(error: Error): boolean {
  return !isShown(error) || (describe(error).status ?? 400) >= 500;
}

/** Whether an error is a bug, a failing system or says of itself that it is not to be shown: never meant for a client, not even as a refusal. */
export function isFault(error: Error): boolean {
  const { errno, syscall } = error as NodeJS.ErrnoException;
  return FAULTS.has(error.name) || errno !== undefined || syscall !== undefined || describe(error).expose === false;
}

/** What was thrown, as an Error: user code may throw anything. */
export function toError(thrown: unknown): Error {
  if (thrown instanceof Error || Object.prototype.toString.call(thrown) === '[object Error]') return thrown as Error; // second test: an Error of another realm
  if (typeof thrown === 'string') return new Error(thrown);
  return new TypeError(`a value that is no Error was thrown: ${inspect(thrown)}`); // a fault: nobody has decided that clients may see that value
}

const FAULTS = new Set(['AggregateError', 'EvalError', 'RangeError', 'ReferenceError', 'SyntaxError', 'TypeError', 'URIError']);

/** Errors made to be shown: IoError, and those of http-errors (`ctx.throw`), egg-validate and the like. */
function isShown(error: Error): boolean {
  const { expose, status } = describe(error);
  return expose ?? (status !== undefined && status >= 400 && status < 500);
}

/** The fields that errors carry by convention, where they have the type that the convention says. */
function describe(error: Error): { code?: string; status?: number; expose?: boolean; details?: unknown } {
  const { code, status, expose, details, errors } = error as Error & Record<'code' | 'status' | 'expose' | 'details' | 'errors', unknown>;
  return {
    ...(typeof code === 'string' && { code }),
    ...(typeof status === 'number' && { status }),
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
