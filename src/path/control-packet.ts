/** A control event of a client: the way of a packet that the app has no part in. */
import type { Acknowledge } from '../events';
import type { Connection } from './connection';
import { UNKNOWN_CONTROL } from './controls';
import { isThenable } from './listeners';
import { ackOf, reportFailure } from './packet-failure';

const PLACE = 'a control event failed';

/** @param packet `[event, ...args]`, with the acknowledgement function at the end if the client asked for one */
export function receiveControl(connection: Connection, packet: unknown[]): void {
  const { namespace, socket } = connection;
  if (!socket.connected) return; // arrived after the end of the connection, as in receivePacket
  const fail = (thrown: unknown): void => reportFailure(connection, packet, thrown, { place: PLACE });
  const ack = ackOf(packet);
  const control = namespace.runtime.controls.get(packet[0] as string); // the name is reserved, so it is a string
  try {
    if (!control) throw UNKNOWN_CONTROL;
    const answer = control(socket, packet.slice(1, ack && -1), ack);
    if (isThenable(answer)) answerLater(connection, answer, ack).catch(fail);
    else if (answer !== undefined) ack?.(answer);
  } catch (thrown) {
    fail(thrown);
  }
}

/** A closing server waits for it. */
async function answerLater({ handlers, namespace }: Connection, answer: PromiseLike<unknown>, ack: Acknowledge | undefined): Promise<void> {
  const { inFlight } = namespace.runtime;
  inFlight.begin(handlers);
  try {
    const value = await answer;
    if (value !== undefined) ack?.(value);
  } finally {
    inFlight.end(handlers);
  }
}
