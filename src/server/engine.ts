/** Prepares an engine, before it has connections: what happens in front of Socket.IO, and what a connection may cost there. */
import type { Server as EngineServer } from 'engine.io';
import type { SessionRouting } from '../cluster/routing/session-routing';
import { flushRefusals } from '../handshake/corked-websocket';
import type { Ids } from '../handshake/ids';
import { trimHandshakes } from '../handshake/leftovers';
import { explainTooLarge } from '../handshake/message-size';
import type { Handshakes } from '../handshake/handshakes';
import { checkFirstConnection } from '../internals/engine-io';
import type { Runtime } from '../path/runtime';

interface Parts {
  readonly ids: Ids;
  readonly handshakes: Handshakes;
  readonly runtime: Runtime;
  readonly sessionRouting: SessionRouting | undefined;
}

/** @param path that of the engine, without the slash at its end */
export function openEngine(engine: EngineServer, path: string, { ids, handshakes, runtime, sessionRouting }: Parts): void {
  checkFirstConnection(engine, line => runtime.logger.warn(line));
  ids.attach(engine);
  handshakes.attach(engine);
  explainTooLarge(engine, problem => runtime.refusals.warnOfSize(problem));
  trimHandshakes(engine, path);
  flushRefusals(engine);
  runtime.limits.attach(engine);
  sessionRouting?.attach(engine);
}
