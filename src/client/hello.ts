/**
 * What a client says of itself when it connects, in `auth.$io`, and that the app does not hear what is said then. For pages, as everything in this
 * folder: no file here imports anything at run time but its neighbours.
 */

type Listener = (...args: never[]) => void; // of whatever types the app declares

/** The part of the official client's socket that is used here. */
export interface Socket {
  on(event: string, listener: Listener): unknown;
  timeout(ms: number): { emit(event: string, ...args: unknown[]): unknown };
  readonly connected: boolean;
  /** The manager. Its engine is another one after each reconnect. */
  readonly io: { readonly engine?: unknown };
  listeners(event: string): Listener[];
  listenersAny(): Listener[];
}

/** With its private part, the same from 4.0 to 4.8. In a release without it, the server gets no hello, or `onAny()` hears what is said. */
export interface WholeSocket extends Socket {
  packet(packet: Packet): void;
  emitEvent(event: Event): void;
  /** From 4.5 on. */
  notifyOutgoingListeners(packet: { readonly data: Event }): void;
}

/** Its name and arguments. */
type Event = readonly unknown[];

interface Packet {
  readonly type: number;
  data?: { readonly $io?: object };
}

/** The type of the packet that asks for a namespace. Its data is `auth`. */
const CONNECT = 0;

/** Adds to what the socket says of itself at each connection, whatever the app sets as its `auth`. To be called before it connects. */
export function sayHello(socket: WholeSocket, fields: object): void {
  const { packet: send, emitEvent, notifyOutgoingListeners } = socket;
  /** The same socket, without the listeners of `onAny()` and `onAnyOutgoing()`. */
  const quiet = new Proxy(socket, {
    get: (_, name): unknown => (String(name).startsWith('_any') ? [] : socket[name as keyof WholeSocket]),
  });
  const socketFor = ([name]: Event): WholeSocket => (String(name).startsWith('$io:') ? quiet : socket);
  socket.packet = packet => {
    if (packet.type === CONNECT) packet.data = { ...packet.data, $io: { v: 1, ...fields, ...packet.data?.$io } };
    send.call(socket, packet);
  };
  socket.emitEvent = event => emitEvent.call(socketFor(event), event);
  socket.notifyOutgoingListeners = packet => notifyOutgoingListeners.call(socketFor(packet.data), packet);
}
