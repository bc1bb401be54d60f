/**
 * Reconnects at once after the background. Otherwise it could take some seconds: timers, such as that of the manager's next attempt, may be
 * suspended in the background, and continue with the rest of their time.
 */
import type { Socket } from 'socket.io-client';
import { onReturn } from './foreground';
import { type Api, apiOf, type Platform } from './platform';

type Manager = Socket['io'];

/** Time in ms after the return during which a lost connection counts as lost in the background. */
const MOMENT = 3000;

/** The sockets that share a connection. */
const sharing = new WeakMap<Manager, Set<Socket>>();

/**
 * Makes a socket reconnect at once when the program returns from the background. `io` of this package does this already; call it for each
 * socket that you create with the `io` of socket.io-client. Returns the socket.
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
    returnedAt = 0; // only once, to avoid a loop if the server closes every connection
    // after the manager has set its timer, and code that disconnects in order to reconnect has run
    void Promise.resolve().then(() => {
      if (activeSockets(manager).length === 0) stop();
      else if (isOfBackground) connectNow(manager);
    });
  });
}

/** Cancels the current or next attempt of the manager, and connects at once. */
function connectNow(manager: Manager): void {
  const sockets = activeSockets(manager);
  // active sockets have an engine
  if (!manager.reconnection() || sockets.length === 0 || manager.engine.readyState === 'open') return;
  for (const socket of sockets) socket.disconnect(); // without an event, since none is connected
  for (const socket of sockets) socket.connect();
}

function activeSockets(manager: Manager): Socket[] {
  return [...(sharing.get(manager) ?? [])].filter(socket => socket.active);
}
