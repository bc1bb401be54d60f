/** The end of a connection whose login has ended. */
import type { Socket } from 'socket.io';
import type { ErrorAnswer } from '../errors';
import { toError } from '../thrown';

/** The part of a connection that is used here. */
interface Client {
  readonly socket: Socket;
  readonly isConnecting: boolean;
  refuse(answer: ErrorAnswer): void;
  log(level: 'error', what: string, error: Error): void;
}

export const EXPIRED: ErrorAnswer = { code: 'AUTH_EXPIRED', message: 'The login has expired' };
export const REVOKED: ErrorAnswer = { code: 'AUTH_REVOKED', message: 'The login has been revoked' };
export const OTHER_USER: ErrorAnswer = { code: 'AUTH_OTHER_USER', message: 'The new login is that of another user' };

/**
 * Ends connections, and tells their clients why. Those of one page are told before the first of them ends. Never throws: the app may have replaced
 * the methods of a socket, and neither that client nor the others may stay.
 * @param close as for `socket.disconnect(close)`
 */
export function endLogins(connections: readonly Client[], answer: ErrorAnswer, close = false): void {
  for (const connection of connections) if (!connection.isConnecting) tell(connection, answer);
  for (const connection of connections) {
    if (connection.isConnecting) connection.refuse(answer);
    else disconnect(connection, close);
  }
}

function tell(connection: Client, { message, code }: ErrorAnswer): void {
  try {
    connection.socket.emit('error', message, { code });
  } catch (thrown) {
    connection.log('error', 'a client is not told that its login has ended', toError(thrown));
  }
}

function disconnect(connection: Client, close: boolean): void {
  try {
    connection.socket.disconnect(close);
  } catch (thrown) {
    connection.log('error', 'a client whose login has ended cannot be disconnected, and its connection is closed', toError(thrown));
    connection.socket.conn.close(true);
  }
}
