/**
 * Entries of a stream that have the encoded packet in a field of its own, beside the data that other servers read: a returning client gets
 * its missed messages from the entries.
 */
import type { Namespace } from 'socket.io';
import { type ClusterAdapter, MessageType, type Session } from 'socket.io-adapter';
import { toError } from '../../thrown';
import { isClusterMessage, isRoomList } from '../backend-message';
import { InvalidMessage } from '../inbox';
import type { PulsedBackplane } from '../pulsed-backplane';
import type { Gone } from '../recovery/gone-clients';
import { unpackMissed } from '../broadcast-message';
import { PacketCodec } from '../packet-codec';
import { unpackValues } from '../values';
import { clusterInternals, streamsInternals } from '../../internals/adapters';

/** The name of this field. */
const ENCODED = 'encoded';

/** An entry in the form of the adapter: the data is text. */
interface Entry {
  readonly data?: string;
  readonly [ENCODED]?: string;
}

/** An entry in the form of ioredis: its id, and the alternating names and values of its fields. */
type RawEntry = [id: string, fields: string[]];

interface Broadcast {
  readonly data: { readonly opts: { readonly rooms?: unknown; readonly except?: unknown } };
}

interface Message {
  readonly data?: { readonly [ENCODED]?: object };
}

/** What the adapter itself writes and reads. */
export interface EntryMethods {
  encode(message: object): Entry;
  decode(entry: Entry): unknown;
}

/** The methods of an adapter, to be called before `useEncodedEntries`. They serve for the entries of all namespaces. */
export function entryMethodsOf(adapter: ClusterAdapter): EntryMethods {
  const { encode } = streamsInternals(adapter);
  const { onRawMessage } = clusterInternals(adapter);
  return {
    encode: encode.bind(adapter),
    decode(entry) {
      let message: unknown;
      onRawMessage?.call({ onMessage: (decoded: unknown) => (message = decoded) }, entry);
      return message;
    },
  };
}

/** Makes the adapter of a namespace write and read such entries. */
export function useEncodedEntries(adapter: ClusterAdapter, nsp: Namespace, backplane: PulsedBackplane): void {
  const codec = new PacketCodec(nsp);
  const { encode } = streamsInternals(adapter);
  const { onRawMessage } = clusterInternals(adapter);
  const restoreSession = adapter.restoreSession.bind(adapter);
  const persistSession = adapter.persistSession.bind(adapter);
  const readSession = async (pid: string, offset: string): Promise<Session> => {
    const session = unpackValues(await restoreSession(pid, offset), ['data'], codec) as Session; // the stored fields
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

    /** The adapter encodes a session synchronously while Socket.IO handles a disconnect: an error thrown there would end the process. */
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
          return [unpackMissed(data, codec)];
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
 * Entries in the form that the adapter reads for a returning client: the encoded packet replaces the data, and fields that emitters omit
 * are added. Of an invalid entry only the id remains, so that the adapter skips it.
 */
export function readableEntries(entries: RawEntry[], { encode, decode }: EntryMethods, backplane: PulsedBackplane): RawEntry[] {
  return entries.map(([id, fields]) => {
    const entry = entryOf(fields);
    if (!entry['nsp'] || entry['type'] !== String(MessageType.BROADCAST)) return [id, fields];
    const message = decode(entry);
    if (!isClusterMessage(message)) {
      backplane.inbox.drop(backplane.channelOf(entry['nsp']));
      return [id, []];
    }
    const { data, ...rest } = message as Broadcast; // checked just now
    const { rooms, except } = data.opts;
    const whole =
      rooms && except ? entry : encode({ ...rest, data: { ...data, opts: { ...data.opts, rooms: rooms ?? [], except: except ?? [] } } });
    return [id, Object.entries(whole).flat()];
  });
}

function entryOf(fields: string[]): Record<string, string> {
  const entry: Record<string, string> = {};
  for (let index = 0; index + 1 < fields.length; index += 2) entry[String(fields[index])] = String(fields[index + 1]);
  const { [ENCODED]: data, ...rest } = entry;
  return data === undefined ? rest : { ...rest, data };
}

/** Whether an error means that a stored session is invalid. Errors of Redis are logged with the failed command. */
function isUnreadable(error: unknown): boolean {
  return (
    error instanceof TypeError || error instanceof RangeError || error instanceof InvalidMessage || toError(error).name === 'DecodeError'
  );
}
