/** Acknowledgements that clients never give: Socket.IO keeps what waits for them until the client goes. */
import type { Namespace } from 'socket.io';
import { type Adapter, type BroadcastOptions, type ClusterAdapter, type ClusterMessage, MessageType } from 'socket.io-adapter';
import { ACKNOWLEDGE_TIMEOUT } from '../operators';
import { clusterInternals } from '../../internals/adapters';
import { socketInternals } from '../../internals/socket-io';

/** A broadcast that clients are to acknowledge. Socket.IO gives it a number when it goes to the clients of this server. */
interface Asked {
  readonly id?: number | undefined;
}

/** Forgets those of clients of this server that it has asked itself. */
export function forgetAcknowledgements(adapter: Adapter, nsp: Namespace): void {
  const broadcastWithAck = adapter.broadcastWithAck.bind(adapter) as (packet: Asked, opts: BroadcastOptions, ...rest: unknown[]) => void;
  Object.assign(adapter, {
    broadcastWithAck(packet: Asked, opts: BroadcastOptions, onClients: unknown, onAnswer: unknown): void {
      broadcastWithAck(packet, opts, onClients, onAnswer);
      forgetLater(nsp, packet, opts.flags?.timeout);
    },
  });
}

/** Forgets those of clients of this server that another one has asked. */
export function forgetForOthers(adapter: ClusterAdapter, nsp: Namespace): void {
  const onMessage = clusterInternals(adapter).onMessage.bind(adapter);
  Object.assign(adapter, {
    onMessage(message: ClusterMessage, offset?: string): void {
      onMessage(message, offset);
      if (message.type !== MessageType.BROADCAST || message.data.requestId === undefined) return;
      const { packet, opts } = message.data;
      forgetLater(nsp, packet as Asked, opts.flags?.timeout); // declared as unknown
    },
  });
}

/** To be called when a broadcast has gone to the clients of this server. @param timeout that of the caller, in ms */
export function forgetLater(nsp: Namespace, { id }: Asked, timeout: unknown): void {
  if (id === undefined) return; // it went elsewhere
  const ms = typeof timeout === 'number' ? timeout : ACKNOWLEDGE_TIMEOUT; // another server may have sent anything
  setTimeout(() => {
    for (const socket of nsp.sockets.values()) socketInternals(socket).acks.delete(id);
  }, ms).unref();
}
