/** Delays the calls of an adapter until the backplane is open. */
import type { Adapter } from 'socket.io-adapter';

/** All methods that use the backplane. */
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
