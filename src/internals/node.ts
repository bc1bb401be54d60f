/** Undocumented members of Node.js: each with its reason. */
import { Server, type Socket } from 'node:net';

/**
 * The server that accepted a connection: in a single process, the plugin finds the app's HTTP server by its first request.
 * Undefined if Node lacks the member: the server is then found only when it starts to listen, and the log names the remedy otherwise.
 */
export function serverOf(connection: Socket): Server | undefined {
  const server: unknown = Reflect.get(connection, 'server');
  return server instanceof Server ? server : undefined;
}
