/** Calls that wait until the backplane can be used. */
import type { Adapter } from 'socket.io-adapter';

/** All methods by which an adapter reaches others. */
const REMOTE_METHODS = [
  'addSockets',
  'broadcast',
  'broadcastWithAck',
  'delSockets',
  'disconnectSockets',
  'fetchSockets',
  'serverCount',
  'serverSideEmit',
] as const;

export function waitUntilOpen(adapter: Adapter, opened: Promise<void> = Promise.resolve()): void {
  let isOpen = false;
  const ready = opened.then(() => void (isOpen = true));
  for (const name of REMOTE_METHODS) {
    const method = adapter[name];
    const call = (args: unknown[]): unknown => Reflect.apply(method, adapter, args) as unknown;
    Object.assign(adapter, { [name]: (...args: unknown[]) => (isOpen ? call(args) : ready.then(() => call(args))) });
  }
}
