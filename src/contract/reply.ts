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

/** What is wrong with an argument, as plain data. */
export interface Issue {
  /** The keys that lead to the wrong value. The first is the index of the argument. */
  readonly path: readonly (string | number)[];
  readonly message: string;
}

/** An error that a server has answered with. */
export class ReplyError extends Error {
  override readonly name = 'ReplyError';
  /** For example `INVALID_ARGUMENT`. */
  readonly code: string;
  /** What else the server says of the error. For what a contract refuses, see `issues`. */
  readonly details: unknown;

  constructor({ code, message, details }: ErrorAnswer) {
    super(message);
    this.code = code;
    this.details = details;
  }

  /** What a contract refuses (`INVALID_ARGUMENT`), an entry for each problem. Empty for other errors. */
  get issues(): readonly Issue[] {
    return Array.isArray(this.details) ? this.details.filter(isIssue) : [];
  }
}

/** Whether an acknowledgement brought an error, `{ error }` and nothing else. */
export function isErrorReply(reply: unknown): reply is ErrorReply {
  if (typeof reply !== 'object' || reply === null || !('error' in reply) || Object.keys(reply).length > 1) return false;
  const { error } = reply;
  return typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string' && 'message' in error;
}

function isIssue(detail: unknown): detail is Issue {
  if (typeof detail !== 'object' || detail === null || !('path' in detail) || !('message' in detail)) return false;
  return Array.isArray(detail.path) && typeof detail.message === 'string';
}
