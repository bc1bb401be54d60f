/** Prepares an engine, before it has connections: what happens in front of Socket.IO, and what a connection may cost there. */
import type { Server as EngineServer } from 'engine.io';
import type { SessionRouting } from '../cluster/routing/session-routing';
import { flushRefusals } from '../handshake/corked-websocket';
import type { Ids } from '../handshake/ids';
import { endLateCloses } from '../handshake/late-close';
import { trimHandshakes } from '../handshake/leftovers';
import { explainTooLarge } from '../handshake/message-size';
import type { Handshakes } from '../handshake/handshakes';
import { engineOptions } from '../internals/engine-options';
import { checkFirstConnection } from '../internals/first-connection';
import { limitIntake } from '../limits/intakes';
import { refuseMessage } from '../path/refuse-message';
import type { Runtime } from '../path/runtime';

interface Parts {
  readonly ids: Ids;
  readonly handshakes: Handshakes;
  readonly runtime: Runtime;
  readonly sessionRouting: SessionRouting | undefined;
  /** Whether the app has a parser of its own. */
  readonly hasOwnParser: boolean;
  /** Makes Socket.IO listen to the engine. */
  readonly bind: () => void;
}

/** @param path that of the engine, without the slash at its end */
export function openEngine(engine: EngineServer, path: string, parts: Parts): void {
  const { ids, handshakes, runtime, sessionRouting, hasOwnParser, bind } = parts;
  const mostListeners = engine.getMaxListeners();
  engine.setMaxListeners(0);
  checkFirstConnection(engine, line => runtime.logger.warn(line));
  ids.attach(engine);
  handshakes.attach(engine);
  explainTooLarge(engine, problem => runtime.refusals.warnOfSize(problem));
  trimHandshakes(engine, path);
  endLateCloses(engine);
  flushRefusals(engine);
  runtime.limits.attach(engine);
  runtime.connectionWatch?.attach(engine);
  sessionRouting?.attach(engine);
  bind();
  const { maxHttpBufferSize, pingInterval, pingTimeout } = engineOptions(engine);
  limitIntake(engine, {
    limits: runtime.limits,
    warn: line => runtime.logger.warn(line),
    maxSize: maxHttpBufferSize,
    heartbeat: Math.min(pingInterval, pingTimeout),
    refuse: hasOwnParser ? undefined : refuseMessage,
  });
  // the app has as many as ever before Node warns of a leak; 0 is no warning at all
  engine.setMaxListeners(mostListeners && mostListeners + engine.listenerCount('connection'));
}
