/** `io.engine` before there is one. */
import type { Server as EngineServer } from 'engine.io';
import { SetupError } from '../errors';

/** Makes `io.engine` throw a helpful error, instead of being undefined, until Socket.IO sets it. */
export function declareEngine(server: object): void {
  Object.defineProperty(server, 'engine', {
    configurable: true,
    get(): never {
      const problem = 'app.io.engine does not exist before the HTTP server; read it in serverDidReady() of app.js, or later';
      throw new SetupError('IO_ENGINE_MISSING', problem);
    },
    set(engine: EngineServer) {
      Object.defineProperty(server, 'engine', { value: engine, configurable: true, enumerable: true, writable: true });
    },
  });
}
