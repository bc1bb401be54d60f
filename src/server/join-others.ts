/** Connects this process with the other workers and servers, beside what the adapters do: by events of the namespace `/`, which every adapter carries. */
import type { Namespace as SocketIoNamespace } from 'socket.io';
import type { Backplane } from '../backplane/backplane';
import { oneLine } from '../errors';
import { emitToServers, reachesOthers, receiveFromServers } from '../internals/server-events';
import type { FollowedSessions } from '../path/followed-sessions';
import type { Runtime } from '../path/runtime';
import { toError } from '../thrown';
import { joinPresence } from './join-presence';
import type { Namespaces } from './namespaces';
import type { Server } from './server';

interface Parts {
  readonly runtime: Runtime;
  readonly namespaces: Namespaces;
  readonly server: Server;
}

const EVENT = '$io:session';

/**
 * To be called when the backplane is ready.
 * @param backplane undefined with an adapter of the app's own
 */
export function joinOthers({ runtime, namespaces, server }: Parts, backplane: Backplane | undefined): void {
  const main = server.of('/');
  if (!backplane && !reachesOthers(main.adapter)) return;
  let hasFailed = false;
  /** An adapter of the app's own may have an outage, or no way to other servers. */
  const onFailure = (thrown: unknown): void => {
    if (hasFailed) return;
    hasFailed = true;
    const problem = oneLine(toError(thrown).message);
    runtime.logger.warn('[egg-socket.io] other servers could not be told of presence, or of sessions that end: %s', problem);
  };
  joinPresence(namespaces.presences, main, backplane, onFailure);
  joinSessions(runtime.followedSessions, main, onFailure);
}

/** Tells the others of HTTP sessions that have ended, and is told by them. */
function joinSessions(sessions: FollowedSessions | undefined, main: SocketIoNamespace, onFailure: (thrown: unknown) => void): void {
  if (!sessions) return;
  receiveFromServers(main, EVENT, hash => sessions.receive(hash));
  sessions.tell = hash => emitToServers(main.adapter, [EVENT, hash], onFailure);
}
