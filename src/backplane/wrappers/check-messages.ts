/** Validates messages from a backend before the adapter gets them. */
import type { Namespace } from 'socket.io';
import { type Adapter, MessageType } from 'socket.io-adapter';
import { isClusterMessage, isClusterResponse, isObject } from '../backend-message';
import { unpackFields } from '../broadcast-message';
import { type Inbox, InvalidMessage } from '../inbox';
import { EncodedPacket, PacketCodec } from '../packet-codec';
import { unpackSockets, unpackValues } from '../values';
import { clusterInternals, mongoInternals } from '../../internals/adapters';

/**
 * Drops messages that no adapter of this kind can have sent.
 * @param channel the source of the messages, for the log
 */
export function checkMessages(adapter: Adapter, nsp: Namespace, inbox: Inbox, channel: string): void {
  const codec = new PacketCodec(nsp);
  const { onMessage, onResponse, onRawMessage } = clusterInternals(adapter);
  Object.assign(adapter, {
    onMessage(message: unknown, offset?: string): void {
      inbox.read++;
      try {
        const opened = openMessage(message, codec);
        if (!isClusterMessage(opened)) throw new InvalidMessage();
        onMessage.call(adapter, opened, offset);
      } catch (error) {
        inbox.fail(channel, error);
      }
    },
    onResponse(response: unknown): void {
      inbox.read++;
      try {
        const opened = openMessage(response, codec);
        if (!isClusterResponse(opened)) throw new InvalidMessage();
        onResponse.call(adapter, opened);
      } catch (error) {
        inbox.fail(channel, error);
      }
    },
    /** Adapters for Redis ignore messages that they cannot decode; here these are logged. */
    ...(onRawMessage && {
      onRawMessage(...raw: unknown[]): void {
        const before = inbox.read;
        onRawMessage.apply(adapter, raw);
        if (inbox.read === before) inbox.drop(channel);
      },
    }),
  });
}

/** Drops documents that no adapter for MongoDB can have inserted. */
export function checkDocuments(adapter: Adapter, nsp: Namespace, inbox: Inbox, collection: string): void {
  const codec = new PacketCodec(nsp);
  const onEvent = mongoInternals(adapter).onEvent.bind(adapter);
  Object.assign(adapter, {
    async onEvent(event: { readonly fullDocument?: unknown }): Promise<void> {
      inbox.read++;
      try {
        const fullDocument = openMessage(event.fullDocument, codec);
        if (!isClusterMessage(fullDocument)) throw new InvalidMessage();
        hideFrames(fullDocument);
        await onEvent({ ...event, fullDocument });
      } catch (error) {
        inbox.fail(collection, error);
      }
    },
  });
}

/** Replaces the values of a message with its encoded ones, if it has any. @throws InvalidMessage if these cannot be decoded */
function openMessage(message: unknown, codec: PacketCodec): unknown {
  if (!isObject(message) || !isObject(message['data'])) return message;
  const { type, data } = message;
  const opened = openData(type, data, codec);
  return opened === data ? message : { ...message, data: opened };
}

function openData(type: unknown, data: Readonly<Record<string, unknown>>, codec: PacketCodec): unknown {
  switch (type) {
    case MessageType.BROADCAST:
      return unpackFields(data, codec);
    case MessageType.BROADCAST_ACK:
    case MessageType.SERVER_SIDE_EMIT:
    case MessageType.SERVER_SIDE_EMIT_RESPONSE:
      return unpackValues(data, ['packet'], codec);
    case MessageType.FETCH_SOCKETS_RESPONSE:
      return { ...data, sockets: unpackSockets(data['sockets'], codec) };
    default:
      return data;
  }
}

/** The adapter searches all enumerable properties for wrapped bytes, even each byte of a Buffer: about a second per MB. */
function hideFrames(document: unknown): void {
  const packet = isObject(document) && isObject(document['data']) ? document['data']['packet'] : undefined;
  if (packet instanceof EncodedPacket) Object.defineProperty(packet, 'frames', { enumerable: false });
}
