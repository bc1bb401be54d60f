/** The end of a connection whose login has ended. */
import type { Socket } from 'socket.io';
import type { ErrorAnswer } from '../errors';

/** The part of a connection that is used here. */
interface Client {
  readonly socket: Socket;
  readonly isConnecting: boolean;
  refuse(answer: ErrorAnswer): void;
}

export const EXPIRED: ErrorAnswer = { code: 'AUTH_EXPIRED', message: 'The login has expired' };
export const REVOKED: ErrorAnswer = { code: 'AUTH_REVOKED', message: 'The login has been revoked' };
export const OTHER_USER: ErrorAnswer = { code: 'AUTH_OTHER_USER', message: 'The new login is that of another user' };

/** Ends connections, and tells their clients why. Those of one page are told before the first of them ends. @param close as for `socket.disconnect(close)` */
export function endLogins(connections: readonly Client[], answer: ErrorAnswer, close = false): void {
  for (const { isConnecting, socket } of connections) if (!isConnecting) socket.emit('error', answer.message, { code: answer.code });
  for (const connection of connections) {
    if (connection.isConnecting) connection.refuse(answer);
    else connection.socket.disconnect(close);
  }
}
