/** What follows a failure while a packet is handled: a line in the log, and an answer to the client. */
import { answerTo, isUnexpected } from './error-answers';
import type { Connection } from './connection';
import { oneLine, toError } from '../errors';
import { ErrorEventLimit } from './failures';
import type { Acknowledge } from '../types';

/** Handles the error of a listener of the app like that of a handler. For `place`, see `Failure`. */
export function reportListener(connection: Connection, packet: unknown[], thrown: unknown, place?: string): void {
  const error = toError(thrown);
  logFailure(connection, packet[0], error, place);
  answer(connection, packet[0], error, ackOf(packet));
}

/** The acknowledgement function, which Socket.IO appends if the client asked for one. A client cannot send a function. */
export function ackOf(packet: unknown[]): Acknowledge | undefined {
  const last = packet.at(-1);
  return typeof last === 'function' ? (last as Acknowledge) : undefined;
}

export function logFailure(connection: Connection, event: unknown, error: Error, place?: string): void {
  // the client chose the name: keep it short, and on one line
  const what = `event ${JSON.stringify(oneLine(String(event).slice(0, 100)))} failed`;
  connection.log(isUnexpected(error) ? 'error' : 'warn', what, error, place);
}

/** Sends an error to the client: as the acknowledgement if it asked for one, else as an `error` event, within `ErrorEventLimit`. */
export function answer(connection: Connection, event: unknown, error: Error, ack: Acknowledge | undefined): void {
  const { namespace, socket } = connection;
  const { code, message, details } = answerTo(error, namespace.runtime.reveal);
  const send = (error: object): void => {
    if (ack) ack({ error });
    else if (socket.connected && (connection.errorEvents ??= new ErrorEventLimit()).allows())
      socket.emit('error', message, { code, event });
  };
  try {
    send({ code, message, ...(details !== undefined && { details }) });
  } catch {
    send({ code, message }); // the details cannot be encoded, such as a circular structure; the error has been logged
  }
}
