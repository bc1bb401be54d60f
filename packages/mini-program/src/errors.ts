/** What goes wrong: a code, what has happened, and what to do about it. */

export type MiniProgramErrorCode =
  /** This is no mini program, or what is given as its platform is none. */
  | 'NO_PLATFORM'
  /** `io()` was not given a whole address. */
  | 'URL_INCOMPLETE'
  /** The platform sets this header, and nobody else may. */
  | 'REFERER_FORBIDDEN'
  /** The platform has one socket, which is in use. */
  | 'ONE_SOCKET_ONLY'
  /** The platform could not connect. */
  | 'CONNECT_FAILED'
  /** The platform could not send. */
  | 'SEND_FAILED'
  /** The platform says that the connection has an error. */
  | 'CONNECTION_FAILED'
  /** Longer than the server takes. */
  | 'FRAME_TOO_LONG';

export class MiniProgramError extends Error {
  constructor(
    readonly code: MiniProgramErrorCode,
    sentence: string,
    /** As the platform has it: `{ errMsg }`, or what it has instead. */
    readonly detail?: unknown,
  ) {
    super(`${code}: ${sentence}`);
    this.name = 'MiniProgramError';
  }
}

/** The words that a platform has for a failure, which Alipay has under a name of its own. */
export function wordsOf(failure: unknown): string {
  const { errMsg, errorMessage, message } = Object(failure) as Record<string, string | undefined>; // anything may be asked for them
  return errMsg || errorMessage || message || JSON.stringify(failure);
}
