/** What an acknowledgement brings to a client. For pages too: this file imports nothing at run time. */
import type { ErrorAnswer } from '../errors';

/** An acknowledgement: what the controller returned, or an error. */
export type Reply<T> = T | ErrorReply;

/** The acknowledgement of an event that failed. */
export interface ErrorReply {
  readonly error: ErrorAnswer;
}

/**
 * Returns what an acknowledgement brought, unless that is an error.
 *
 * @throws ReplyError if it is
 * @example const { delivered } = unwrap(await socket.emitWithAck('say', 'hello'));
 */
export function unwrap<T>(reply: Reply<T>): T {
  if (isErrorReply(reply)) throw new ReplyError(reply.error);
  return reply;
}

/** An error that a server has answered with. */
export class ReplyError extends Error {
  override readonly name = 'ReplyError';
  /** For example `INVALID_ARGUMENT`. */
  readonly code: string;
  /** For `INVALID_ARGUMENT`: what is wrong, as an array of `{ path, message }`. The path begins with the index of the argument. */
  readonly details: unknown;

  constructor({ code, message, details }: ErrorAnswer) {
    super(message);
    this.code = code;
    this.details = details;
  }
}

/** Whether an acknowledgement brought an error, `{ error }` and nothing else. */
export function isErrorReply(reply: unknown): reply is ErrorReply {
  if (typeof reply !== 'object' || reply === null || !('error' in reply) || Object.keys(reply).length > 1) return false;
  const { error } = reply;
  return typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string' && 'message' in error;
}
