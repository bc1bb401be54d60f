/**
 * Every error of this plugin, with its code.
 * The codes are explained one by one in docs/errors.md.
 */

/** Codes of mistakes in the app's set-up. They stop the boot, or are logged where docs/errors.md says so. */
export type SetupCode =
  | 'IO_ADAPTER_MISSING'
  | 'IO_ADAPTER_UNKNOWN'
  | 'IO_AGENT_ADAPTER'
  | 'IO_AGENT_ALONE'
  | 'IO_CONFIG_INVALID'
  | 'IO_CONFIG_REMOVED'
  | 'IO_CONFIG_UNKNOWN_KEY'
  | 'IO_CONTROLLER_INVALID'
  | 'IO_CONTROLLER_UNKNOWN'
  | 'IO_CORS_CREDENTIALS'
  | 'IO_ENGINE_MISSING'
  | 'IO_INTERNALS_MISSING'
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

/** Codes of what that backplane does not do though it answers. */
export type RefusedCode = 'IO_DATABASE_REFUSED' | 'IO_REDIS_REFUSED';

/**
 * The codes of an `OutageError`: `IO_REDIS_DOWN` or `IO_DATABASE_DOWN` where the other servers cannot be reached,
 * `IO_REDIS_REFUSED` or `IO_DATABASE_REFUSED` where Redis or the database answers, but refuses what a question needs,
 * `IO_HUB_DOWN` where the other workers of this machine cannot be reached, `IO_HUB_OVERFLOW` where more waits to be sent to these than fits.
 */
export type OutageCode = PulsedCode | RefusedCode | 'IO_HUB_DOWN' | 'IO_HUB_OVERFLOW';

/** Codes of what goes wrong while the app runs; only ever logged, but for those that a call of the app rejects with. */
export type RuntimeCode =
  | OutageCode
  | 'IO_ANSWER_INVALID'
  | 'IO_CLIENT_GONE'
  | 'IO_CORS_MISSING'
  | 'IO_DEPRECATED'
  | 'IO_EMIT_INVALID'
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
