/** Counts what goes to other processes, for the metrics. */
import type { Adapter, BroadcastOptions } from 'socket.io-adapter';

/** The methods that publish, with the place of their target. The last has none. */
const METHODS = {
  broadcast: 1,
  broadcastWithAck: 1,
  addSockets: 0,
  delSockets: 0,
  disconnectSockets: 0,
  fetchSockets: 0,
  serverSideEmit: undefined,
};

/** @param onPublish called for each call of a method that publishes */
export function countPublished(adapter: Adapter, onPublish: () => void): void {
  for (const [name, place] of Object.entries(METHODS)) {
    const method = Reflect.get(adapter, name) as (...args: unknown[]) => unknown; // of Socket.IO's class
    const counted = (...args: unknown[]): unknown => {
      const result = method.apply(adapter, args); // throws for what cannot be sent
      const target = place === undefined ? undefined : (args[place] as Partial<BroadcastOptions> | undefined); // by `METHODS`
      if (!target?.flags?.local) onPublish();
      return result;
    };
    Object.assign(adapter, { [name]: counted });
  }
}
