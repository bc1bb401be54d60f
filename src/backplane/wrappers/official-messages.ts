/** Publishes broadcasts in the official form, with the encoded packet for servers of this plugin beside it if needed. */
import type { Adapter, BroadcastOptions } from 'socket.io-adapter';
import { fieldsOf } from '../broadcast-message';
import { EncodedPacket, type Event } from '../packet-codec';
import { fieldOfArguments } from '../values';
import { clusterInternals } from '../../internals/adapters';

/** A message of ClusterAdapter, or of the adapter for MongoDB. */
interface Message {
  readonly data?: { readonly packet?: unknown; readonly opts?: unknown };
}

/** @param interop whether servers without this plugin can read the messages */
export function publishOfficially(adapter: Adapter, interop: boolean): void {
  const { doPublish, addOffsetIfNecessary } = clusterInternals(adapter);
  Object.assign(adapter, {
    doPublish: (message: Message): Promise<string> => doPublish.call(adapter, officialMessage(message, interop)),

    /** The adapter decides which packets get an offset, and adds it to their values. */
    addOffsetIfNecessary(packet: Event, opts: BroadcastOptions, offset: string): void {
      if (!(packet instanceof EncodedPacket)) {
        addOffsetIfNecessary.call(adapter, packet, opts, offset);
        return;
      }
      const added: string[] = [];
      addOffsetIfNecessary.call(adapter, { type: packet.type, id: packet.id, data: added }, opts, offset);
      for (const value of added) packet.append(value);
    },
  });
}

/**
 * Replaces the packet of a message, if it has one, with its official form.
 * @param isLater whether the message is encoded later, when the app may have changed the values
 */
export function officialMessage<M extends Message>(message: M, interop: boolean, isLater = false): M {
  const { packet, opts } = message.data ?? {};
  if (Array.isArray(packet)) return { ...message, data: { ...message.data, ...fieldOfArguments('packet', packet) } }; // by serverSideEmit()
  if (!(packet instanceof EncodedPacket)) return message;
  return { ...message, data: { ...message.data, ...fieldsOf(packet, opts as Parameters<typeof fieldsOf>[1], interop, isLater) } }; // a broadcast has options
}
