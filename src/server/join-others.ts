/** Connects this process with the other workers and servers, beside what the adapters do: by events of the namespace `/`, which every adapter carries. */
import type { Namespace as SocketIoNamespace } from 'socket.io';
import type { Backplane } from '../backplane/backplane';
import type { Logger } from '../egg';
import { reachesOthers, receiveFromServers } from '../internals/server-events';
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
 * @param main the namespace `/`
 * @param backplane undefined with an adapter of the app's own
 */
export function joinOthers({ runtime, namespaces, server }: Parts, backplane: Backplane | undefined): void {
  const main = server.of('/');
  if (!backplane && !reachesOthers(main.adapter)) return;
  joinPresence(namespaces.presences, main, backplane);
  joinSessions(runtime.followedSessions, main, runtime.logger);
}

/** Tells the others of HTTP sessions that have ended, and is told by them. */
function joinSessions(sessions: FollowedSessions | undefined, main: SocketIoNamespace, logger: Logger): void {
  if (!sessions) return;
  receiveFromServers(main, EVENT, hash => sessions.receive(hash));
  sessions.tell = hash => {
    try {
      main.serverSideEmit(EVENT, hash);
    } catch (thrown) {
      sessions.tell = undefined; // an adapter of the app's own that has no way to other servers
      logger.warn('[egg-socket.io] other servers are not told of sessions that end: %s', toError(thrown).message);
    }
  };
}
