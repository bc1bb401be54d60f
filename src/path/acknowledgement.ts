/** The acknowledgement function of a packet. */
import type { Connection } from './connection';
import { isError } from '../thrown';
import { socketInternals } from '../internals/socket-io';
import { reportFailure } from './packet-failure';
import { PacketType } from '../protocol';
import type { Acknowledge } from '../events';

/** As Socket.IO's own, but an Error is treated as if the handler had thrown it: encoded, it would be empty. */
export function acknowledgementOf(connection: Connection, id: number, packet: unknown[]): Acknowledge {
  let isSent = false;
  const acknowledge: Acknowledge = (...data) => {
    if (isSent) return;
    if (isError(data[0])) reportFailure(connection, packet, data[0], { ack: acknowledge });
    else socketInternals(connection.socket).packet({ id, type: PacketType.ACK, data });
    isSent = true; // not earlier: after an answer that cannot be sent, the client can still get the error
  };
  return acknowledge;
}
