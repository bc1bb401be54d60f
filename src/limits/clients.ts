/** The client of a connection, and how the log names it. */
import type { Socket as EngineSocket } from 'engine.io';
import type { Socket } from 'socket.io';
import { quoted } from '../errors';
import { namespacesOf } from '../internals/socket-io';

export type Client = Socket['client'];

const CLIENT = Symbol('client');

/** To be called with each namespace that a client has connected to. */
export function introduce(client: Client): void {
  Object.assign(client.conn, { [CLIENT]: client });
}

/** Undefined before the client has connected to a namespace. */
export function clientOf(connection: EngineSocket): Client | undefined {
  return (connection as { [CLIENT]?: Client })[CLIENT];
}

/** One of the sockets of a connection, or the connection itself if it has none. */
export function socketOrConnection(connection: EngineSocket): Socket | EngineSocket {
  const client = clientOf(connection);
  const [socket] = client ? namespacesOf(client).values() : [];
  return socket ?? connection;
}

/** Names a client by what the server knows of it: a socket by its namespace and id, as other lines name it, and the address that it comes from. */
export function whoIs(client: Socket | EngineSocket): string {
  if ('nsp' in client) return `socket ${client.id} of ${quoted(client.nsp.name)} from ${client.conn.remoteAddress}`;
  return `a connection from ${client.remoteAddress}`; // its id would be the key to its session
}
