/**
 * Entries of a stream that hold, beside the data that other servers read, the same with the packet as it was encoded. That is a field of its own:
 * a client that comes back gets what it has missed from the entries themselves.
 */
import type { Namespace } from 'socket.io';
import type { ClusterAdapter, Session } from 'socket.io-adapter';
import type { PulsedBackplane } from '../pulsed-backplane';
import { openMissed } from '../broadcast-message';
import { PacketCodec } from '../packet-codec';
import { clusterInternals, streamsInternals } from '../../internals/adapters';

/** The name of the field. */
const ENCODED = 'encoded';

/** An entry as the adapter has it: the data is text. */
interface Entry {
  readonly data?: string;
  readonly [ENCODED]?: string;
}

/** An entry as ioredis has it: its id, and the names and values of its fields by turns. */
type RawEntry = [id: string, fields: string[]];

interface Message {
  readonly data?: { readonly [ENCODED]?: object };
}

/** Changes the adapter of a namespace. */
export function useEncodedEntries(adapter: ClusterAdapter, nsp: Namespace, backplane: PulsedBackplane): void {
  const codec = new PacketCodec(nsp);
  const { encode } = streamsInternals(adapter);
  const { onRawMessage } = clusterInternals(adapter);
  const restoreSession = adapter.restoreSession.bind(adapter);
  Object.assign(adapter, {
    encode(message: Message): Entry {
      if (!message.data?.[ENCODED]) return encode.call(adapter, message);
      const { [ENCODED]: data, ...official } = message.data;
      const { data: text = '' } = encode.call(adapter, { ...message, data });
      return { ...encode.call(adapter, { ...message, data: official }), [ENCODED]: text };
    },

    onRawMessage(entry: Entry, offset: string): void {
      onRawMessage?.call(adapter, entry[ENCODED] === undefined ? entry : { ...entry, data: entry[ENCODED] }, offset);
    },

    async restoreSession(pid: string, offset: string): Promise<Session> {
      const session = await restoreSession(pid, offset);
      session.missedPackets = session.missedPackets.flatMap(data => {
        try {
          return [openMissed(data, codec)];
        } catch (error) {
          backplane.inbox.fail(backplane.channelOf(nsp.name), error);
          return [];
        }
      });
      return session;
    },
  });
}

/** Entries with the data for servers of this plugin in the place of the data that the adapter reads. */
export function preferEncoded(entries: RawEntry[]): RawEntry[] {
  return entries.map(([id, fields]) => {
    const index = fields.findIndex((field, position) => position % 2 === 0 && field === ENCODED);
    return index === -1 ? [id, fields] : [id, [...fields, 'data', String(fields[index + 1])]]; // of two, the last one counts
  });
}
