/** Looks at the boot whether the installed Socket.IO, Engine.IO and ws have the members of `socket-io.ts`. */
import { createServer } from 'node:http';
import { Namespace, Server, Socket } from 'socket.io';
import { type Members, problemOf, requireMembers, type Specimens } from './members';
import { ENGINE, NAMESPACE, PARENT, SERVER, SOCKET } from './socket-io';

/**
 * @param warn called for each class without which things are only slower
 * @throws {SetupError} `IO_INTERNALS_MISSING` where a member is missing that correctness needs
 */
export function checkInternals(specimens: Iterable<readonly [Members, object]>, warn: (line: string) => void): void {
  for (const [members, specimen] of specimens) {
    if (members.fallback === undefined) requireMembers(members, specimen);
    else {
      const problem = problemOf(members, specimen);
      if (problem !== undefined) warn(`[egg-socket.io] ${problem}: ${members.fallback}`);
    }
  }
}

/** A server that never listens, for its fields: prototypes have the methods alone. */
export function makeSpecimens(): Specimens {
  const server = new Server(createServer(), { serveClient: false });
  const nsp = new Namespace(server, '/specimen');
  return new Map<Members, object>([
    [SERVER, server],
    [NAMESPACE, nsp],
    [PARENT, server.of(/^\/specimens$/)],
    ...socketOf(server, nsp),
    [ENGINE, server.engine],
  ]);
}

/** None where a later release reads more of a client: that alone stops no boot. */
function socketOf(server: Server, nsp: Namespace): [Members, object][] {
  try {
    return [[SOCKET, new Socket(nsp, clientOf(server), {})]];
  } catch {
    return [];
  }
}

/** As much of a client as the constructor of a socket reads. */
function clientOf(server: Server): Socket['client'] {
  const request = { headers: {}, connection: {}, socket: {}, url: '/', _query: {} };
  return { server, request, conn: { protocol: 4, request, remoteAddress: '' } } as unknown as Socket['client']; // it is never connected
}
