/** The errors of this plugin. docs/errors.md explains the codes. */
import type { OutageCode, RuntimeCode, SetupCode } from './error-codes';

export type { OutageCode, PulsedCode, RefusedCode, RuntimeCode, SetupCode } from './error-codes';

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

/** The error of a question to a client that goes before it answers, and the reason of `ctx.signal`. It is never sent to a client. */
export class ClientGoneError extends Error {
  override readonly name = 'ClientGoneError';
  readonly code = 'IO_CLIENT_GONE';

  constructor(problem = 'the client disconnected before it answered') {
    super(messageOf('IO_CLIENT_GONE', problem));
  }
}

/** The text of a thrown or logged problem, with its heading in the package's docs. */
export function messageOf(code: SetupCode | RuntimeCode, problem: string): string {
  return `[egg-socket.io] ${code}: ${problem} (egg-socket.io/docs/errors.md#${code.toLowerCase()})`;
}

/** A mistake in a call of the app. A TypeError, whose message no client gets. */
export function mistakeOf(code: RuntimeCode, problem: string, options?: ErrorOptions): TypeError {
  return Object.assign(new TypeError(messageOf(code, problem), options), { code });
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

/** Shortens a text for the log, such as one from a client, and puts it on one line. @param text of any type: the message of an app's error can be anything */
export function oneLine(text: unknown): string {
  return String(text)
    .slice(0, 500)
    .replaceAll(/[\p{Cc}\u2028\u2029]+/gu, ' ');
}

/** A name in the log that a client may have chosen: short, on one line, and in quotes. */
export function quoted(name: unknown): string {
  return JSON.stringify(oneLine(name).slice(0, 100));
}
