/** Attaches a server to the app's HTTP server. */
import type { Server as HttpServer } from 'node:http';
import { attachWhenFound } from '../cluster/single-process';
import type { EggApplication } from '../egg';
import type { Server } from './server';

/** Attaches now, or as soon as there is an HTTP server. Returns a function that ends the search for it, if there is one. */
export function attachToHttpServer(app: EggApplication, server: Server): (() => void) | undefined {
  if (app.server) {
    server.attach(app.server); // in tests, the event may have been emitted already
    return undefined;
  }
  app.once('server', (httpServer: HttpServer) => server.attach(httpServer));
  return app.options.mode === 'single' ? attachWhenFound(app, server, app.logger) : undefined;
}
