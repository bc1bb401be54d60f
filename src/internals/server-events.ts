/** Events of this plugin that processes send each other by `serverSideEmit()`, which every adapter carries. */
import type { Namespace } from 'socket.io';
import { Adapter } from 'socket.io-adapter';

type Reply = (answer: unknown) => void;

/**
 * Has an event received that other processes send, and that the app does not hear.
 * @param receive gets its argument, and what answers if the sender waits for that
 */
export function receiveFromServers(nsp: Namespace, event: string, receive: (given: unknown, reply: Reply | undefined) => void): void {
  // of another event of this plugin; all else is looked up with each event, since the namespace may get another prototype later
  const own = Object.getOwnPropertyDescriptor(nsp, '_onServerSideEmit')?.value as Namespace['_onServerSideEmit'] | undefined;
  Object.assign(nsp, {
    _onServerSideEmit: (args: [event: string, ...args: unknown[]]): void => {
      const [name, given, reply] = args;
      const deliver = own ?? (Object.getPrototypeOf(nsp) as Namespace)._onServerSideEmit;
      if (name === event) receive(given, isReply(reply) ? reply : undefined);
      else deliver.call(nsp, args);
    },
  });
}

/** Sends an event to the other processes. Never throws. @param onFailure called if the adapter throws, or rejects: the namespace would drop its promise */
export function emitToServers(adapter: Adapter, args: [event: string, ...args: unknown[]], onFailure: (thrown: unknown) => void): void {
  (async () => adapter.serverSideEmit(args))().catch(onFailure);
}

/** Whether an adapter has a way to other processes. One of the app's own that has none writes a warning for each `serverSideEmit()`. */
export function reachesOthers(adapter: Adapter): boolean {
  return adapter.serverSideEmit !== Adapter.prototype.serverSideEmit;
}

function isReply(value: unknown): value is Reply {
  return typeof value === 'function';
}
