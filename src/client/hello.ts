/** What a client says of itself when it connects, in `auth.$io`. For pages, as everything in this folder: no file here imports anything at run time but its neighbours. */

/** The part of the official client's socket that is used here. */
export interface Socket {
  auth: Auth | ((done: (auth: object) => void) => void);
  readonly connected: boolean;
  on(event: string, listener: (...args: never[]) => void): unknown;
  emit(event: string, ...args: unknown[]): unknown;
  timeout(ms: number): { emit(event: string, ...args: unknown[]): unknown };
  listeners(event: string): ((...args: never[]) => void)[]; // of whatever types the app declares
  listenersAny(): ((...args: never[]) => void)[];
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
  let given = socket.auth;
  const add = (auth: Auth): Auth => Object.assign(auth, { $io: hello }); // the same object: apps change it
  Object.defineProperty(socket, 'auth', {
    configurable: true,
    enumerable: true,
    get: (): Socket['auth'] => {
      const auth = given;
      return typeof auth === 'function' ? done => auth(own => done({ ...own, $io: hello })) : add(auth ?? (given = {}));
    },
    set: (auth: Socket['auth']) => {
      given = auth;
    },
  });
}
