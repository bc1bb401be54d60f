/** Undocumented members of Node.js: each with its reason. */
import { Server, type Socket } from 'node:net';

/**
 * The server that accepted a connection. In a single process the app's HTTP server is found by its first request.
 * Undefined if Node lacks it: then the server is found only when it starts to listen, and the log names the remedy for any other case.
 */
export function serverOf(connection: Socket): Server | undefined {
  const server: unknown = Reflect.get(connection, 'server');
  return server instanceof Server ? server : undefined;
}
