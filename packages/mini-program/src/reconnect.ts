/**
 * At once, and not some seconds later: what a manager does later, such as its next attempt to connect, may be held back for as long as the program
 * is in the background, and then has to wait for the rest of its time.
 */
import type { Socket } from 'socket.io-client';
import { onReturn } from './foreground';
import { type Api, apiOf, type Platform } from './platform';

type Manager = Socket['io'];

/** For this long after the return, in ms, a connection that is lost was lost in the background. */
const MOMENT = 3000;

/** Who share a connection. */
const sharing = new WeakMap<Manager, Set<Socket>>();

/**
 * Connects again at once when the program comes back from the background, and not some seconds later. `io` of this package has done so already;
 * give it each socket of your own `io`. Returns the socket.
 *
 * @param platform as for `miniProgram()`
 */
export function reconnectOnShow<Given extends Socket>(socket: Given, platform?: Platform): Given {
  const manager = socket.io;
  const sockets = sharing.get(manager);
  if (sockets) sockets.add(socket);
  else {
    sharing.set(manager, new Set([socket]));
    watch(manager, apiOf(platform));
  }
  return socket;
}

function watch(manager: Manager, api: Api): void {
  let returnedAt = 0;
  let stop = (): void => {};
  const listen = (): void => {
    stop();
    stop = onReturn(api, () => {
      connectNow(manager);
      returnedAt = Date.now();
    });
  };
  listen();
  manager.on('open', listen);
  manager.on('close', () => {
    const isOfBackground = Date.now() - returnedAt < MOMENT;
    returnedAt = 0; // once, so that a server that closes every connection is not asked in a loop
    // after the manager has begun to wait, and whoever disconnects to connect anew has done so
    void Promise.resolve().then(() => {
      if (activeSockets(manager).length === 0) stop();
      else if (isOfBackground) connectNow(manager);
    });
  });
}

/** Drops what the manager waits for, an answer or the time of its next attempt, and tries at once. */
function connectNow(manager: Manager): void {
  const sockets = activeSockets(manager);
  // active sockets have an engine
  if (!manager.reconnection() || sockets.length === 0 || manager.engine.readyState === 'open') return;
  for (const socket of sockets) socket.disconnect(); // none is connected, so that nobody hears of this
  for (const socket of sockets) socket.connect();
}

function activeSockets(manager: Manager): Socket[] {
  return [...(sharing.get(manager) ?? [])].filter(socket => socket.active);
}
