/** Names a client in the log, by what the server knows of it. */
import type { Socket as EngineSocket } from 'engine.io';
import type { Socket } from 'socket.io';
import { socketOf } from './farewell';

/** A socket by its namespace and id, as other lines name it, and the address that its connection comes from. */
export function whoIs(client: Socket | EngineSocket): string {
  const socket = 'nsp' in client ? client : socketOf(client);
  if (socket) return `socket ${socket.id} of ${JSON.stringify(socket.nsp.name)} from ${socket.conn.remoteAddress}`;
  return `a connection from ${(client as EngineSocket).remoteAddress}`; // its id would be the key to its session
}
