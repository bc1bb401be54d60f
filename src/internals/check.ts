/** Objects of the installed Socket.IO and Engine.IO for the boot's check: one of each class whose private members are used. */
import { EventEmitter } from 'node:events';
import { createServer } from 'node:http';
import { Namespace, Server, Socket } from 'socket.io';
import { FRAMING_ADAPTER } from './adapters';
import { ENGINE, ENGINE_MIDDLEWARE, ENGINE_REQUEST, preparedRequest } from './engine-io';
import type { Specimens } from './members';
import { CLIENT_DECODER, parserSpecimens } from './parser';
import { CLIENT, NAMESPACE, OPERATOR, PARENT, SERVER, SOCKET } from './socket-io';

/** For a server with clients. Instances rather than prototypes, which have no fields; the server never listens. */
export function makeSpecimens(): Specimens {
  // the timer of its client ends after 1 ms rather than 45 s
  const server = new Server(createServer(), { serveClient: false, connectTimeout: 1 });
  const client = clientOf(server);
  return [
    ...serverSpecimens(server),
    [PARENT, server.of(/^\/specimens$/)],
    [CLIENT, client],
    [CLIENT_DECODER, client],
    [SOCKET, client && socketOf(server, client)],
    [FRAMING_ADAPTER, server.of('/').adapter],
    [ENGINE, server.engine],
    [ENGINE_MIDDLEWARE, server.engine],
    [ENGINE_REQUEST, preparedRequest(server.engine)],
    ...parserSpecimens(),
  ];
}

/** For a server without clients, such as `agent.io`. */
export function serverSpecimens(server = new Server()): Specimens {
  return [
    [SERVER, server],
    [NAMESPACE, new Namespace(server, '/specimen')],
    [OPERATOR, server.to('specimen')],
  ];
}

/** A client as Socket.IO creates it for a connection. Undefined if a later release needs more of a connection: that alone stops no boot. */
function clientOf(server: Server): Socket['client'] | undefined {
  let made: Socket['client'] | undefined;
  server.of('/')._add = async client => void (made = client); // Socket.IO connects a client of protocol 3 to this namespace at once
  const request = { headers: {}, connection: {}, url: '/', _query: {} };
  try {
    server.engine.emit('connection', Object.assign(new EventEmitter(), { protocol: 3, request, remoteAddress: '' }));
  } catch {
    return undefined;
  }
  return made;
}

function socketOf(server: Server, client: Socket['client']): Socket | undefined {
  Object.assign(server._opts, { connectionStateRecovery: {} }); // only then does a socket have a private id
  try {
    return new Socket(server.of('/'), client, {});
  } catch {
    return undefined;
  }
}
