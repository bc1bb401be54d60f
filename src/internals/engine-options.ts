/** Options of Engine.IO, which has set its defaults: they are typed as optional. */
import type { Server as EngineServer } from 'engine.io';

interface EngineOptions {
  readonly pingInterval: number;
  readonly pingTimeout: number;
  readonly maxHttpBufferSize: number;
}

export function engineOptions({ opts }: EngineServer): EngineOptions {
  const { pingInterval = 25_000, pingTimeout = 20_000, maxHttpBufferSize = 1_000_000 } = opts;
  return { pingInterval, pingTimeout, maxHttpBufferSize };
}
