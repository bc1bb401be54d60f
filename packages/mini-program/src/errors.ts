/** The errors of this package: a code, the problem and the remedy. */

export type MiniProgramErrorCode =
  /** Not in a mini program, or the given `platform` is not one. */
  | 'NO_PLATFORM'
  /** The URL for `io()` is incomplete. */
  | 'URL_INCOMPLETE'
  /** Only the platform may set the header Referer. */
  | 'REFERER_FORBIDDEN'
  /** The platform has one socket, which is in use. */
  | 'ONE_SOCKET_ONLY'
  /** The platform could not connect. */
  | 'CONNECT_FAILED'
  /** The platform could not send. */
  | 'SEND_FAILED'
  /** The platform reports an error of the connection. */
  | 'CONNECTION_FAILED'
  /** The message exceeds the limit of the server. */
  | 'FRAME_TOO_LONG';

export class MiniProgramError extends Error {
  constructor(
    readonly code: MiniProgramErrorCode,
    sentence: string,
    /** The error of the platform: `{ errMsg }` or similar. */
    readonly detail?: unknown,
  ) {
    super(`${code}: ${sentence}`);
    this.name = 'MiniProgramError';
  }
}

/** The platform's message of an error. Alipay has its own name for it. */
export function wordsOf(failure: unknown): string {
  const { errMsg, errorMessage, message } = Object(failure) as Record<string, string | undefined>; // safe for any value
  return errMsg || errorMessage || message || JSON.stringify(failure);
}
