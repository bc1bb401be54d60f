/**
 * Events of Socket.IO's own parser whose values are only what JSON has, and Buffers: most of them. Its encoder walks through each three times, and
 * its decoder is made to be used for more than one packet.
 */
import { PacketType } from '../protocol';
import { MAX_ATTACHMENTS } from '../encoder';
import { isEvent } from './backend-message';
import { deconstruct, NOT_CARRIED } from './carried';
import { InvalidMessage } from './inbox';

/**
 * What the encoder would make of the values of an event, in one walk. Undefined if they are not plain.
 * @param prefix the namespace in the text of a packet
 */
export function encodePlain(data: unknown[], prefix: string): readonly (string | Buffer)[] | undefined {
  const attachments: Buffer[] = [];
  const plain = deconstruct(data, true, attachments);
  if (plain === NOT_CARRIED || attachments.length > MAX_ATTACHMENTS) return undefined;
  const text = `${prefix}${JSON.stringify(plain)}`;
  if (attachments.length === 0) return [`${PacketType.EVENT}${text}`];
  return [`${PacketType.BINARY_EVENT}${attachments.length}-${text}`, ...attachments];
}

/**
 * What the decoder would make of an event without bytes, whose answer nobody wants. Undefined for other packets.
 * @throws InvalidMessage if clients could not read it
 */
export function readPlain(frames: unknown, prefix: string): unknown[] | undefined {
  if (!Array.isArray(frames) || frames.length !== 1) return undefined;
  const [text] = frames as readonly unknown[];
  const head = `${PacketType.EVENT}${prefix}`;
  if (typeof text !== 'string' || !text.startsWith(head) || text[head.length] !== '[') return undefined;
  try {
    const data = JSON.parse(text.slice(head.length)) as unknown[]; // it begins like a list
    if (isEvent({ type: PacketType.EVENT, data })) return data;
  } catch {} // it is not JSON
  throw new InvalidMessage();
}
