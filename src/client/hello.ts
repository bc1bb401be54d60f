/**
 * What a client says of itself when it connects, in `auth.$io`, and that the app does not hear what is said then. For pages, as everything in this
 * folder: no file here imports anything at run time but its neighbours.
 */

type Listener = (...args: never[]) => void; // of whatever types the app declares

/** The part of the official client's socket that is used here. */
export interface Socket {
  auth: Auth | ((done: (auth: object) => void) => void);
  on(event: string, listener: Listener): unknown;
  emit(event: string, ...args: unknown[]): unknown;
  timeout(ms: number): { emit(event: string, ...args: unknown[]): unknown };
  readonly connected: boolean;
  listeners(event: string): Listener[];
  listenersAny(): Listener[];
}

type Auth = { [key: string]: unknown };

const hellos = new WeakMap<Socket, Auth>();

/** Adds to what the socket says at each connection, whatever the app sets as its `auth`, and when. To be called before it connects. */
export function sayHello(socket: Socket, fields: Auth): void {
  const known = hellos.get(socket);
  if (known) {
    Object.assign(known, fields);
    return;
  }
  const hello = { v: 1, ...fields };
  hellos.set(socket, hello);
  hideControls(socket, 'Any');
  hideControls(socket, 'AnyOutgoing');
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
}

/** Keeps the listeners of `onAny()`, or of `onAnyOutgoing()`, itself: they do not hear events that begin with `$io:`. */
function hideControls(socket: Socket, kind: 'Any' | 'AnyOutgoing'): void {
  const methods = socket as unknown as Record<string, ((listener?: Listener) => Listener[]) | undefined>; // of the official client, the second kind from 4.5 on
  let listeners = methods[`listeners${kind}`]?.() ?? [];
  methods[`off${kind}`]?.();
  methods[`on${kind}`]?.((...packet) => {
    if (!String(packet[0]).startsWith('$io:')) for (const listener of listeners) listener.apply(socket, packet);
  });
  const change = (changed: (listener: Listener) => Listener[]) => (listener: Listener) => {
    listeners = changed(listener);
    return socket;
  };
  Object.assign(socket, {
    [`on${kind}`]: change(listener => [...listeners, listener]),
    [`prepend${kind}`]: change(listener => [listener, ...listeners]),
    [`off${kind}`]: change(listener => (listener ? listeners.filter((_, at) => at !== listeners.indexOf(listener)) : [])),
    [`listeners${kind}`]: () => listeners,
  });
}
