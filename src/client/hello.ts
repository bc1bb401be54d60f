/**
 * What a client says of itself when it connects, in `auth.$io`, and that the app does not hear what is said then. For pages, as everything in this
 * folder: no file here imports anything at run time but its neighbours.
 */

type Listener = (...args: never[]) => void; // of whatever types the app declares

/** The part of the official client's socket that is used here. */
export interface Socket {
  auth: Auth | ((done: (auth: object) => void) => void);
  on(event: string, listener: Listener): unknown;
  timeout(ms: number): { emit(event: string, ...args: unknown[]): unknown };
  readonly connected: boolean;
  /** The manager. Its engine is another one after each reconnect. */
  readonly io: { readonly engine?: unknown };
  listeners(event: string): Listener[];
  listenersAny(): Listener[];
}

/** With its private part, the same from 4.0 to 4.8. In a release without it, `onAny()` hears what is said. */
interface WholeSocket extends Socket {
  emitEvent(event: Event): void;
  /** From 4.5 on. */
  notifyOutgoingListeners(packet: { readonly data: Event }): void;
}

type Auth = { [key: string]: unknown };

/** Its name and arguments. */
type Event = readonly unknown[];

const hellos = new WeakMap<Socket, object>();

/** Adds to what the socket says of itself at each connection, whatever the app sets as its `auth`, and when. To be called before it connects. */
export function sayHello(socket: Socket, fields: object): void {
  Object.assign(hellos.get(socket) ?? begin(socket as WholeSocket), fields);
}

function begin(socket: WholeSocket): object {
  const hello = { v: 1 };
  hellos.set(socket, hello);
  const { emitEvent, notifyOutgoingListeners } = socket;
  let given = socket.auth;
  Object.defineProperty(socket, 'auth', {
    get: (): Socket['auth'] => {
      const auth = (given ??= {});
      if (typeof auth === 'function') return done => auth(own => done({ ...own, $io: hello }));
      return Object.assign(auth, { $io: hello }); // the same object: apps change it
    },
    set: (auth: Socket['auth']) => {
      given = auth;
    },
  });
  /** The same socket, without the listeners of `onAny()` and `onAnyOutgoing()`. */
  const quiet = new Proxy(socket, {
    get: (_, name): unknown => (String(name).startsWith('_any') ? [] : socket[name as keyof WholeSocket]),
  });
  const socketFor = ([name]: Event): WholeSocket => (String(name).startsWith('$io:') ? quiet : socket);
  socket.emitEvent = event => emitEvent.call(socketFor(event), event);
  socket.notifyOutgoingListeners = packet => notifyOutgoingListeners.call(socketFor(packet.data), packet);
  return hello;
}
