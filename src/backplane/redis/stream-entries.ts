/**
 * Entries of a stream that hold, beside the data that other servers read, the same with the packet as it was encoded. That is a field of its own:
 * a client that comes back gets what it has missed from the entries themselves.
 */
import type { Namespace } from 'socket.io';
import { type ClusterAdapter, MessageType, type Session } from 'socket.io-adapter';
import { toError } from '../../errors';
import { isClusterMessage, isRoomList } from '../backend-message';
import { InvalidMessage } from '../inbox';
import type { PulsedBackplane } from '../pulsed-backplane';
import type { Gone } from '../recovering-adapter';
import { openMissed } from '../broadcast-message';
import { PacketCodec } from '../packet-codec';
import { openValues } from '../values';
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

interface Broadcast {
  readonly data: { readonly opts: { readonly rooms?: unknown; readonly except?: unknown } };
}

interface Message {
  readonly data?: { readonly [ENCODED]?: object };
}

/** Changes the adapter of a namespace. */
export function useEncodedEntries(adapter: ClusterAdapter, nsp: Namespace, backplane: PulsedBackplane): void {
  const codec = new PacketCodec(nsp);
  const { encode } = streamsInternals(adapter);
  const { onRawMessage } = clusterInternals(adapter);
  const restoreSession = adapter.restoreSession.bind(adapter);
  const persistSession = adapter.persistSession.bind(adapter);
  const readSession = async (pid: string, offset: string): Promise<Session> => {
    const session = openValues(await restoreSession(pid, offset), ['data'], codec) as Session; // with the fields that it was stored with
    if (typeof session.sid !== 'string' || session.pid !== pid || !isRoomList(session.rooms)) throw new InvalidMessage();
    return session;
  };
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

    /** The adapter encodes a session at once, while Socket.IO handles a disconnect: what throws there ends the process. */
    persistSession(session: Gone): void {
      const stored = backplane.answers.ofSession(session, codec);
      if (stored) persistSession(stored);
    },

    async restoreSession(pid: string, offset: string): Promise<Session> {
      const session = await readSession(pid, offset).catch((error: unknown) => {
        if (isUnreadable(error)) backplane.inbox.fail(backplane.channelOf(nsp.name), error);
        throw error;
      });
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

/**
 * Entries as the adapter can hand them to a client that comes back: with the data for servers of this plugin in the place of the data that it reads,
 * and with the fields that emitters omit. One that no server can have sent keeps its id alone, and is passed over.
 * @param adapter that of any namespace
 */
export function readableEntries(entries: RawEntry[], adapter: ClusterAdapter, backplane: PulsedBackplane): RawEntry[] {
  const official = Object.getPrototypeOf(adapter) as ClusterAdapter; // without what has been replaced
  const { encode } = streamsInternals(official);
  const { onRawMessage } = clusterInternals(official);
  return entries.map(([id, fields]) => {
    const entry = entryOf(fields);
    if (!entry['nsp'] || entry['type'] !== String(MessageType.BROADCAST)) return [id, fields];
    let message: unknown;
    onRawMessage?.call({ onMessage: (decoded: unknown) => (message = decoded) }, entry);
    if (!isClusterMessage(message)) {
      backplane.inbox.drop(backplane.channelOf(entry['nsp']));
      return [id, []];
    }
    const { data, ...rest } = message as Broadcast; // checked just now
    const { rooms, except } = data.opts;
    const whole =
      rooms && except
        ? entry
        : encode.call(adapter, { ...rest, data: { ...data, opts: { ...data.opts, rooms: rooms ?? [], except: except ?? [] } } });
    return [id, Object.entries(whole).flat()];
  });
}

function entryOf(fields: string[]): Record<string, string> {
  const entry: Record<string, string> = {};
  for (let index = 0; index + 1 < fields.length; index += 2) entry[String(fields[index])] = String(fields[index + 1]);
  const { [ENCODED]: data, ...rest } = entry;
  return data === undefined ? rest : { ...rest, data };
}

/** Whether an error means that a stored session is none. Those of Redis are logged where its commands fail. */
function isUnreadable(error: unknown): boolean {
  return (
    error instanceof TypeError || error instanceof RangeError || error instanceof InvalidMessage || toError(error).name === 'DecodeError'
  );
}
