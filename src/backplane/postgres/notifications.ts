/** What the adapter is shown of PostgreSQL's notifications. */
import { isClusterMessage, isObject } from '../backend-message';
import type { Notification } from './pg';

/** Whether it is a message of the adapter, or says where to find one. */
export function isForAdapter({ payload = '' }: Notification): boolean {
  try {
    const message: unknown = JSON.parse(payload);
    if (!isObject(message)) return false;
    const { attachmentId } = message;
    return attachmentId === undefined ? isClusterMessage(message) : typeof attachmentId === 'string' && /^\d{1,19}$/.test(attachmentId); // a bigserial
  } catch {
    return false;
  }
}

/** The adapter fetches a large message from the table; what comes after it has to wait. */
export function inOrder<Arg, Result>(read: (arg: Arg) => Promise<Result>): (arg: Arg) => Promise<Result> {
  let last: Promise<unknown> = Promise.resolve();
  return async arg => {
    const turn = last.then(() => read(arg));
    last = turn.catch(() => {}); // the caller handles it
    return turn;
  };
}
