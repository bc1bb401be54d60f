/** Messages from a backend, checked before an adapter sees them. */
import type { Adapter, ClusterAdapter } from 'socket.io-adapter';
import { isClusterMessage, isClusterResponse } from '../backend-message';
import { type Inbox, InvalidMessage } from '../inbox';
import { clusterInternals, mongoInternals } from '../../internals/adapters';

/**
 * An adapter that sees only what one of its kind can have sent.
 * @param channel where its messages come from
 */
export function checkMessages(adapter: ClusterAdapter, inbox: Inbox, channel: string): void {
  const { onMessage, onResponse, onRawMessage } = clusterInternals(adapter);
  Object.assign(adapter, {
    onMessage(message: unknown, offset?: string): void {
      inbox.read++;
      try {
        if (!isClusterMessage(message)) throw new InvalidMessage();
        onMessage.call(adapter, message, offset);
      } catch (error) {
        inbox.fail(channel, error);
      }
    },
    onResponse(response: unknown): void {
      inbox.read++;
      try {
        if (!isClusterResponse(response)) throw new InvalidMessage();
        onResponse.call(adapter, response);
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
export function checkDocuments(adapter: Adapter, inbox: Inbox, collection: string): void {
  const onEvent = mongoInternals(adapter).onEvent.bind(adapter);
  Object.assign(adapter, {
    async onEvent(event: { readonly fullDocument?: unknown }): Promise<void> {
      try {
        if (!isClusterMessage(event.fullDocument)) throw new InvalidMessage();
        await onEvent(event);
      } catch (error) {
        inbox.fail(collection, error);
      }
    },
  });
}
