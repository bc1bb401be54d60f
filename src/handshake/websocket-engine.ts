/** Which WebSocket implementation Engine.IO uses: `config.io.init.wsEngine`. */
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { SetupError } from '../errors';
import { webSocketSpecimens } from '../internals/ws';
import { CorkedWebSocketServer } from './corked-websocket';

/** Engines of Socket.IO 2, and the maintained forks that replace them. */
const SUCCESSORS: Readonly<Record<string, string>> = { uws: 'eiows' };

/** The server class of a WebSocket engine, which the option gives as the class itself or as the name of its package. */
export function findWsEngine(wsEngine: unknown, baseDir: string): unknown {
  if (wsEngine === undefined || wsEngine === null || wsEngine === 'ws') return CorkedWebSocketServer;
  if (typeof wsEngine !== 'string') return wsEngine;
  const name = SUCCESSORS[wsEngine] ?? wsEngine;
  let engine: unknown;
  try {
    engine = createRequire(join(baseDir, 'package.json'))(name);
  } catch (cause) {
    const why = name === wsEngine ? '' : ` ('${wsEngine}' has been unmaintained since 2019; ${name} is its maintained fork)`;
    const problem = `config.io.init.wsEngine is '${wsEngine}'${why}: run \`npm install ${name}\`, or use 'ws'`;
    throw new SetupError('IO_WS_ENGINE_MISSING', problem, { cause });
  }
  const { Server = engine } = (engine ?? {}) as { Server?: unknown }; // the package may export anything
  if (typeof Server === 'function') return Server;
  throw new SetupError(
    'IO_WS_ENGINE_MISSING',
    `config.io.init.wsEngine is '${wsEngine}', but the package ${name} exports no WebSocket server`,
  );
}

/** What is to be checked of a WebSocket engine, if it is this plugin's. */
export function specimensOf(wsEngine: unknown): ReturnType<typeof webSocketSpecimens> {
  return wsEngine === CorkedWebSocketServer ? webSocketSpecimens() : [];
}
