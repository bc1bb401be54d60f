/** Broadcasts that are published in the official form, with what only servers of this plugin understand beside it. */
import type { BroadcastOptions, ClusterAdapter } from 'socket.io-adapter';
import { fieldsOf } from '../broadcast-message';
import { EncodedPacket, type Event } from '../packet-codec';
import { fieldOfArguments } from '../values';
import { clusterInternals } from '../../internals/adapters';

/** What adapters that stand on ClusterAdapter, and MongoDB's, publish. */
interface Message {
  readonly data?: { readonly packet?: unknown; readonly opts?: unknown };
}

/** @param interop whether other servers than those of this plugin are to read the messages */
export function publishOfficially(adapter: ClusterAdapter, interop: boolean): void {
  const { doPublish, addOffsetIfNecessary } = clusterInternals(adapter);
  Object.assign(adapter, {
    doPublish: (message: Message): Promise<string> => doPublish.call(adapter, officialMessage(message, interop)),

    /** The adapter knows which packets get an offset, and adds it to their values. */
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
 * A message with the packet that it holds, if any, as others read it.
 * @param isLater whether it is written later, when the app may have changed its values
 */
export function officialMessage<M extends Message>(message: M, interop: boolean, isLater = false): M {
  const { packet, opts } = message.data ?? {};
  if (Array.isArray(packet)) return { ...message, data: { ...message.data, ...fieldOfArguments('packet', packet) } }; // of serverSideEmit()
  if (!(packet instanceof EncodedPacket)) return message;
  return { ...message, data: { ...message.data, ...fieldsOf(packet, opts as Parameters<typeof fieldsOf>[1], interop, isLater) } }; // a broadcast has them
}
