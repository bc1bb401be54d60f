/** A client that connects elsewhere before its connection ends, when the server that it is connected to is about to stop. */
import { sayHello, type Socket } from './hello';

/** A connection of the official client. */
interface Engine {
  once(event: string, listener: () => void): unknown;
  off(event: string, listener: () => void): unknown;
  close(): unknown;
}

/** The part of the official client's manager that is used here. Some of it is private: without that, the client reconnects as ever. */
interface Manager {
  engine: Engine & { readonly constructor: unknown };
  readonly uri: string;
  readonly opts: object;
  readonly nsps: Record<string, Moved>;
  on(event: string, listener: () => void): unknown;
  off(event: string, listener: () => void): unknown;
  /** Stops listening to the engine. */
  cleanup(): void;
  /** Listens to the engine, and connects the sockets. */
  onopen(): void;
}

/** Its sockets. */
interface Moved {
  connected: boolean;
  /** Whether it is to be connected. */
  readonly active: boolean;
  /** Those who wait for an answer, by the number of their packet. */
  readonly acks: object;
  readonly sendBuffer: readonly { readonly id?: number }[];
  readonly receiveBuffer: unknown[];
  emitEvent(event: unknown): void;
}

/** The most time in ms until another attempt. */
const RETRY_DELAY = 400;

/**
 * Makes a socket of the official client move when a server asks for it, as one that drains does: it connects to another server first, waits for the
 * answers that are on their way, and connects there when the server ends its connection: with all its namespaces, since they share it. `disconnect`
 * does not happen, and `connect` happens again; with connection state recovery, `recovered` is true then, and `id` is the same. What is emitted
 * meanwhile is sent afterwards. To be called before the socket connects: right after `io()`.
 *
 * @example move(socket);
 */
export function move(socket: Socket & { readonly io: object }): void {
  const manager = socket.io as Partial<Manager>; // of whatever version
  if (!manager.cleanup || !manager.onopen || !manager.nsps) return;
  let leave: (() => void) | undefined;
  sayHello(socket, { move: true });
  socket.on('$io:move', (ready: (() => void) | null) => {
    if (ready)
      leave = connectElsewhere(manager as Manager, ready); // has what it needs
    else leave?.();
  });
}

/**
 * Returns a function that changes over to the other connection, if there is one by then. Else the client reconnects as ever.
 * @param ready called when the other connection is open, and no answer is on its way
 */
function connectElsewhere(manager: Manager, ready: () => void): () => void {
  const former = manager.engine;
  const EngineClass = former.constructor as new (uri: string, options: object) => Engine; // the manager creates it in the same way
  let next: Engine;
  let retry: ReturnType<typeof setTimeout> | undefined;
  let isOpen = false;
  let isHolding = false;
  let isReady = false;
  let hasEnded = false;

  manager.on('close', giveUp);
  manager.on('packet', proceedSoon);
  open();
  return leave;

  function open(): void {
    next = new EngineClass(manager.uri, manager.opts);
    next.once('open', opened);
    next.once('close', openLater);
  }

  function opened(): void {
    isOpen = isHolding = true;
    proceed();
  }

  function openLater(): void {
    isOpen = false;
    retry = setTimeout(open, RETRY_DELAY * (0.5 + Math.random() / 2));
  }

  /** After all sockets have taken the packet. */
  function proceedSoon(): void {
    void Promise.resolve().then(proceed);
  }

  /** Once there has been another connection, the sockets keep what the app emits, and hear what still comes. */
  function proceed(): void {
    if (!isHolding) return;
    const sockets = Object.values(manager.nsps).filter(({ active }) => active);
    for (const socket of sockets) socket.connected = false; // also of one that has connected meanwhile
    for (const socket of sockets) for (const event of socket.receiveBuffer.splice(0)) socket.emitEvent(event);
    if (isReady || !isOpen || sockets.some(isWaiting)) return;
    isReady = true;
    ready();
    if (hasEnded) leave(); // the last answer has come together with the end
  }

  function leave(): void {
    hasEnded = true;
    if (!isReady || !isOpen) return;
    end();
    manager.cleanup();
    former.close();
    manager.engine = next;
    manager.onopen();
  }

  function end(): void {
    isHolding = isOpen = false;
    clearTimeout(retry);
    next.off('close', openLater);
    manager.off('close', giveUp);
    manager.off('packet', proceedSoon);
  }

  /** The former connection has ended: the client reconnects by itself. */
  function giveUp(): void {
    end();
    next.close();
  }
}

/** Whether an answer is on its way. */
function isWaiting({ acks, sendBuffer }: Moved): boolean {
  return Object.keys(acks).length > sendBuffer.filter(({ id }) => id !== undefined).length;
}
