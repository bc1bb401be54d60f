/**
 * In a single process (`egg.start()`) the app's own code creates the HTTP server, and Egg does not pass it to plugins. This finds the server
 * by its request handler, which comes from `app.callback()`: when the server begins to listen, or else at its first request.
 */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { EventEmitter } from 'node:events';
import type { IncomingMessage, Server as HttpServer, ServerResponse } from 'node:http';
import { Server as TcpServer } from 'node:net';
import type { Logger } from '../egg';
import { messageOf } from '../errors';
import { serverOf } from '../internals/node';

type RequestHandler = (request: IncomingMessage, response: ServerResponse) => unknown;

/** The part of an app that creates its request handlers; `app.listen()` calls it too. */
export interface HandlerSource {
  callback(): RequestHandler;
}

/** Socket.IO's server, which is attached to the HTTP server. */
interface Attachable {
  path(): string;
  attach(server: HttpServer): unknown;
}

/** The channel to which Node publishes each `listen()` of a server: https://nodejs.org/api/diagnostics_channel.html#net */
const LISTEN = 'tracing:net.server.listen:asyncStart';

/**
 * Attaches to the app's HTTP server as soon as there is one.
 *
 * @returns a function that ends the search
 */
export function attachWhenFound(app: HandlerSource, io: Attachable, logger: Logger): () => void {
  const makeHandler = app.callback.bind(app);
  const handlers = new WeakSet<object>();
  let isFound = false;
  let hasLogged = false;

  const stop = (): void => {
    isFound = true;
    unsubscribe(LISTEN, onListen);
  };
  const attach = (server: TcpServer): void => {
    stop();
    io.attach(server as HttpServer); // it has the app's request handler
  };
  function onListen(message: unknown): void {
    const { server } = message as { server: EventEmitter }; // as documented
    if (server instanceof TcpServer && server.listeners('request').some(handler => handlers.has(handler))) attach(server);
  }
  const logOnce = (): void => {
    if (hasLogged) return;
    hasLogged = true;
    const problem = `a request for ${io.path()} has reached an HTTP server without Socket.IO; call app.io.attach(server)`;
    logger.error(messageOf('IO_SERVER_UNKNOWN', problem));
  };

  app.callback = () => {
    const handle = makeHandler();
    const handler: RequestHandler = (request, response) => {
      const isOurs = request.url?.startsWith(`${io.path()}/`) ?? false;
      const server = isFound ? undefined : serverOf(request.socket);
      if (server) {
        attach(server);
        if (isOurs) return server.emit('request', request, response); // Engine.IO listens now
      } else if (isOurs) logOnce();
      return handle(request, response);
    };
    handlers.add(handler);
    return handler;
  };
  subscribe(LISTEN, onListen);
  return stop;
}
