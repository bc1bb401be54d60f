/** The official adapter for sharded channels, changed so that joining a room waits until Redis has subscribed to the channel of the room. */
import { createShardedAdapter } from '@socket.io/redis-adapter';
import type { Room, SocketId } from 'socket.io-adapter';
import type { AdapterFactory } from '../../config/options';
import type { PulsedBackplane } from '../pulsed-backplane';
import type { Client } from './client';

/**
 * A server subscribes to the channel of a room when its first client joins. Until Redis has done so, what other servers emit to the room does not
 * arrive, and the official adapter does not wait.
 */
export function createShardedAdapters(publisher: Client, subscriber: Client, options: object, backplane: PulsedBackplane): AdapterFactory {
  /** The latest subscription that Redis has not answered. It answers them in order. */
  let latest: Promise<unknown> | undefined;
  const ssubscribe = subscriber.ssubscribe.bind(subscriber) as (channel: string) => Promise<unknown>; // the overload without a callback
  Object.assign(subscriber, {
    // not async: the client handles the rejection of its own promise, and the adapter none
    ssubscribe(channel: string): Promise<unknown> {
      const subscribed = (latest = ssubscribe(channel));
      const forget = (): void => {
        if (latest === subscribed) latest = undefined;
      };
      subscribed.then(forget, forget);
      return subscribed;
    },
  });
  const create = createShardedAdapter(publisher, subscriber, options);
  return nsp => {
    const adapter = create(nsp);
    const addAll = adapter.addAll.bind(adapter);
    return Object.assign(adapter, {
      addAll(id: SocketId, rooms: Set<Room>): Promise<void> | void {
        void addAll(id, rooms);
        const subscribed = latest;
        if (!subscribed) return;
        return backplane
          .reach(async () => subscribed)
          .then(
            () => {},
            () => {}, // there is an outage, or Redis refuses the subscription, as the log says
          );
      },
    });
  };
}
