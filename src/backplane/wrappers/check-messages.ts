/** Messages from a backend, checked before an adapter sees them. */
import type { Namespace } from 'socket.io';
import { type Adapter, type ClusterAdapter, MessageType } from 'socket.io-adapter';
import { isClusterMessage, isClusterResponse, isObject } from '../backend-message';
import { openFields } from '../broadcast-message';
import { type Inbox, InvalidMessage } from '../inbox';
import { PacketCodec } from '../packet-codec';
import { openSockets, openValues } from '../values';
import { clusterInternals, mongoInternals } from '../../internals/adapters';

/**
 * An adapter that sees only what one of its kind can have sent.
 * @param channel where its messages come from
 */
export function checkMessages(adapter: ClusterAdapter, nsp: Namespace, inbox: Inbox, channel: string): void {
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
    /** Those over Redis say nothing of what they cannot decode. */
    ...(onRawMessage && {
      onRawMessage(...raw: unknown[]): void {
        const before = inbox.read;
        onRawMessage.apply(adapter, raw);
        if (inbox.read === before) inbox.drop(channel);
      },
    }),
  });
}

/** Lets the adapter see only documents that one of its kind can have inserted. */
export function checkDocuments(adapter: Adapter, nsp: Namespace, inbox: Inbox, collection: string): void {
  const codec = new PacketCodec(nsp);
  const onEvent = mongoInternals(adapter).onEvent.bind(adapter);
  Object.assign(adapter, {
    async onEvent(event: { readonly fullDocument?: unknown }): Promise<void> {
      try {
        const fullDocument = openMessage(event.fullDocument, codec);
        if (!isClusterMessage(fullDocument)) throw new InvalidMessage();
        await onEvent({ ...event, fullDocument });
      } catch (error) {
        inbox.fail(collection, error);
      }
    },
  });
}

/** A message with what it holds as that was encoded, where it has come so. @throws InvalidMessage where that cannot be decoded */
function openMessage(message: unknown, codec: PacketCodec): unknown {
  if (!isObject(message) || !isObject(message['data'])) return message;
  const { type, data } = message;
  const opened = openData(type, data, codec);
  return opened === data ? message : { ...message, data: opened };
}

function openData(type: unknown, data: Readonly<Record<string, unknown>>, codec: PacketCodec): unknown {
  switch (type) {
    case MessageType.BROADCAST:
      return openFields(data, codec);
    case MessageType.BROADCAST_ACK:
    case MessageType.SERVER_SIDE_EMIT:
    case MessageType.SERVER_SIDE_EMIT_RESPONSE:
      return openValues(data, ['packet'], codec);
    case MessageType.FETCH_SOCKETS_RESPONSE:
      return { ...data, sockets: openSockets(data['sockets'], codec) };
    default:
      return data;
  }
}
