/** The errors of this plugin and their codes. docs/errors.md explains each code. */

/** Codes of mistakes in the app's set-up. They stop the boot, unless docs/errors.md calls them a warning. */
export type SetupCode =
  | 'IO_ADAPTER_MISSING'
  | 'IO_ADAPTER_UNKNOWN'
  | 'IO_AGENT_ADAPTER'
  | 'IO_AGENT_ALONE'
  | 'IO_CONFIG_INVALID'
  | 'IO_CONFIG_REMOVED'
  | 'IO_CONFIG_UNKNOWN_KEY'
  | 'IO_CONTRACT_DUPLICATE'
  | 'IO_CONTRACT_INVALID'
  | 'IO_CONTRACT_LATE'
  | 'IO_CONTROLLER_INVALID'
  | 'IO_CONTROLLER_UNKNOWN'
  | 'IO_CORS_CREDENTIALS'
  | 'IO_ENGINE_MISSING'
  | 'IO_HISTORY_UNAVAILABLE'
  | 'IO_INTERNALS_MISSING'
  | 'IO_JSON_SCHEMA_MISSING'
  | 'IO_MIDDLEWARE_INVALID'
  | 'IO_MIDDLEWARE_UNKNOWN'
  | 'IO_PATTERN_INVALID'
  | 'IO_PATTERN_LATE'
  | 'IO_PROCESSES_UNKNOWN'
  | 'IO_RECOVERY_CLEANUP'
  | 'IO_RECOVERY_UNAVAILABLE'
  | 'IO_REDIS_CLIENT_UNKNOWN'
  | 'IO_ROOM_PATTERN_AMBIGUOUS'
  | 'IO_ROUTE_DUPLICATE'
  | 'IO_ROUTE_DYNAMIC'
  | 'IO_ROUTE_INVALID'
  | 'IO_ROUTE_UNREACHABLE'
  | 'IO_RUN_FOLDER_UNUSABLE'
  | 'IO_SERVER_TIMEOUT'
  | 'IO_STICKY_MISSING'
  | 'IO_STORE_MISSING'
  | 'IO_TEGG_CLASS_INVALID'
  | 'IO_TEGG_CLASS_LOST'
  | 'IO_TEGG_INJECT_UNKNOWN'
  | 'IO_TEGG_OFF'
  | 'IO_WS_ENGINE_MISSING';

/** Codes of an outage of a backplane to other servers. */
export type PulsedCode = 'IO_DATABASE_DOWN' | 'IO_REDIS_DOWN';

/** Codes of a command that such a backplane refuses. */
export type RefusedCode = 'IO_DATABASE_REFUSED' | 'IO_REDIS_REFUSED';

/**
 * The codes of an `OutageError`: `IO_REDIS_DOWN` or `IO_DATABASE_DOWN` if the other servers cannot be reached,
 * `IO_REDIS_REFUSED` or `IO_DATABASE_REFUSED` if Redis or the database refuses a command that the question needs,
 * `IO_HUB_DOWN` if the other workers of this machine cannot be reached, `IO_HUB_OVERFLOW` if too many messages are queued for them.
 */
export type OutageCode = PulsedCode | RefusedCode | 'IO_HUB_DOWN' | 'IO_HUB_OVERFLOW';

/** Codes of problems while the app runs. They are logged; some are also the `code` of an error that a call rejects with. */
export type RuntimeCode =
  | OutageCode
  | 'IO_ANSWER_INVALID'
  | 'IO_ANSWER_MISSING'
  | 'IO_CLIENT_GONE'
  | 'IO_CONTRACT_VIOLATED'
  | 'IO_CORS_MISSING'
  | 'IO_DEPRECATED'
  | 'IO_EMIT_INVALID'
  | 'IO_EVENT_UNMATCHED'
  | 'IO_HISTORY_INVALID'
  | 'IO_ID_INVALID'
  | 'IO_JSONP_REFUSED'
  | 'IO_MESSAGE_INVALID'
  | 'IO_MESSAGE_TOO_LARGE'
  | 'IO_MESSAGES_MISSED'
  | 'IO_NAMESPACE_UNKNOWN'
  | 'IO_ONERROR_INVALID'
  | 'IO_ONEVENT_REPLACED'
  | 'IO_ORIGIN_MISMATCH'
  | 'IO_ORIGIN_REFUSED'
  | 'IO_RESPONSE_IGNORED'
  | 'IO_PACKET_NESTED'
  | 'IO_PATTERN_UNSUPPORTED'
  | 'IO_PRESENCE_ABSENT'
  | 'IO_PRESENCE_META_INVALID'
  | 'IO_PRESENCE_OFF'
  | 'IO_RECOVERY_AUTH'
  | 'IO_RECOVERY_FAILED'
  | 'IO_ROOM_NOT_STRING'
  | 'IO_SCHEMA_FAILED'
  | 'IO_SERVER_UNKNOWN'
  | 'IO_UPGRADE_MISSING'
  | 'IO_USER_CHANGED'
  | 'IO_USER_INVALID'
  | 'IO_USER_LATE'
  | 'IO_USER_LIMIT'
  | 'IO_USER_UNCOUNTED';

export interface IoErrorOptions extends ErrorOptions {
  /** The HTTP status for this kind of error. From 500 on it is logged as an error, otherwise as a warning. Default: 400. */
  status?: number;
  /** Serializable data for the client, which gets it as `details`. */
  details?: unknown;
}

/** The part of an error that a client gets: the `error` of an acknowledgement, or the `data` of a refusal. */
export interface ErrorAnswer {
  /** The error's own code if it is made to be shown, else the name of its status, such as `INTERNAL_SERVER_ERROR`. */
  code: string;
  message: string;
  details?: unknown;
  /** In a refusal: the failure is temporary, and the client should try again. */
  retry?: true;
}

/** A mistake in the app's set-up that is found while Egg starts, and stops the boot. */
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
 * The error of a call that needs answers of other workers or servers when these cannot be reached: `fetchSockets()`,
 * `serverSideEmitWithAck()`, and `emitWithAck()` to many clients, which adds the answers so far as `responses`. With `local` before
 * the call, only this process is asked, which still works. If a handler does not catch the error, the client gets
 * `INTERNAL_SERVER_ERROR`; if connection middleware does not, the client reconnects by itself.
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

/** The error of a question to a client that goes before it answers. It is never sent to a client. */
export class ClientGoneError extends Error {
  override readonly name = 'ClientGoneError';
  readonly code = 'IO_CLIENT_GONE';

  constructor() {
    super(messageOf('IO_CLIENT_GONE', 'the client disconnected before it answered'));
  }
}

/** The text of a thrown or logged problem, with its heading in the package's docs. */
export function messageOf(code: SetupCode | RuntimeCode, problem: string): string {
  return `[egg-socket.io] ${code}: ${problem} (egg-socket.io/docs/errors.md#${code.toLowerCase()})`;
}

/**
 * An error made to be shown: the client gets its code, message and details, in production too.
 * Throw it in a controller or in middleware.
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

/** Whether this environment is for development and tests. Only there, clients get the messages of all errors, as in Egg over HTTP. */
export function isDevelopment(env: string | undefined): boolean {
  return env === 'local' || env === 'unittest';
}

/** Shortens a text for the log, such as one from a client, and puts it on one line. */
export function oneLine(text: string): string {
  return text.slice(0, 500).replaceAll(/[\p{Cc}\u2028\u2029]+/gu, ' ');
}
