/** Removes the callbacks of acknowledgements that clients never send: Socket.IO keeps them until the client disconnects. */
import type { Namespace } from 'socket.io';
import { type Adapter, type BroadcastOptions, type ClusterMessage, MessageType, type Room } from 'socket.io-adapter';
import { ACKNOWLEDGE_TIMEOUT } from '../operators';
import { clusterInternals, mongoInternals } from '../../internals/adapters';
import { socketInternals } from '../../internals/socket-io';

/** A broadcast that asks clients for acknowledgements. Socket.IO sets its id when it sends it to the clients of this server. */
interface Asked {
  readonly id?: number | undefined;
}

/** The target of a broadcast of this server or another one. */
interface Target {
  readonly rooms?: Iterable<Room> | null | undefined;
  readonly flags?: { readonly timeout?: unknown } | null | undefined;
}

/** The longest delay of a timer in Node, in ms. */
const MAX_DELAY = 2 ** 31 - 1;

/** Handles broadcasts of this server. */
export function forgetAcknowledgements(adapter: Adapter, nsp: Namespace): void {
  const broadcastWithAck = adapter.broadcastWithAck.bind(adapter) as (packet: Asked, opts: BroadcastOptions, ...rest: unknown[]) => void;
  Object.assign(adapter, {
    broadcastWithAck(packet: Asked, opts: BroadcastOptions, onClients: (count: number) => void, onAnswer: unknown): void {
      let isCounted = false;
      /** First called when the packet has been sent to the clients of this server. MongoDB's adapter sends it in the next tick. */
      const count = (clients: number): void => {
        if (!isCounted) forgetLater(nsp, packet, opts);
        isCounted = true;
        onClients(clients);
      };
      broadcastWithAck(packet, opts, count, onAnswer);
    },
  });
}

/** Handles broadcasts of other servers. */
export function forgetForOthers(adapter: Adapter, nsp: Namespace): void {
  const onMessage = clusterInternals(adapter).onMessage.bind(adapter);
  Object.assign(adapter, {
    onMessage(message: ClusterMessage, offset?: string): void {
      onMessage(message, offset);
      forgetAsked(nsp, message);
    },
  });
}

/** Handles broadcasts of other servers over MongoDB. */
export function forgetForOthersOfMongo(adapter: Adapter, nsp: Namespace): void {
  const onEvent = mongoInternals(adapter).onEvent.bind(adapter);
  Object.assign(adapter, {
    async onEvent(event: { readonly fullDocument: ClusterMessage }): Promise<void> {
      await onEvent(event);
      forgetAsked(nsp, event.fullDocument);
    },
  });
}

function forgetAsked(nsp: Namespace, message: ClusterMessage): void {
  if (message.type !== MessageType.BROADCAST || message.data.requestId === undefined) return;
  const { packet, opts } = message.data;
  forgetLater(nsp, packet as Asked, opts); // declared as unknown; checked by checkMessages or checkDocuments
}

/** To be called when a broadcast was sent to the clients of this server. Only the sockets in its rooms are searched. */
export function forgetLater(nsp: Namespace, { id }: Asked, { rooms, flags }: Target = {}): void {
  if (id === undefined) return; // no client of this server got it
  const asked = socketsIn(nsp, [...(rooms ?? [])]).filter(({ acks }) => acks.has(id));
  if (asked.length === 0) return;
  const timeout = flags?.timeout; // another server may have sent anything
  const isDelay = typeof timeout === 'number' && timeout >= 0 && timeout <= MAX_DELAY;
  setTimeout(() => asked.forEach(({ acks }) => acks.delete(id)), isDelay ? timeout : ACKNOWLEDGE_TIMEOUT).unref();
}

function socketsIn(nsp: Namespace, rooms: readonly Room[]): ReturnType<typeof socketInternals>[] {
  const ids = rooms.length === 0 ? nsp.sockets.keys() : new Set(rooms.flatMap(room => [...(nsp.adapter.rooms.get(room) ?? [])]));
  return [...ids].flatMap(id => nsp.sockets.get(id) ?? []).map(socketInternals);
}
