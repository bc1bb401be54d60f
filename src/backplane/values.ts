/**
 * Values that servers tell each other beside broadcasts: the arguments of serverSideEmit(), answers, and what a socket has. Who gets them gets
 * what a client would decode, whatever has carried them.
 */
import { isObject } from './backend-message';
import { isCarried, makeReadable } from './carried';
import { bytesOf } from './json';
import type { Frame, PacketCodec } from './packet-codec';

/** Less than broadcasts have: answers have more around them. */
const MAX_LEVELS = 80;

/** A frame as every way carries it: not all of them have bytes for all that they carry. */
type Carried = string | { readonly base64: string };

/** What servers of this plugin read in place of the fields of the same names. Others do not know it. */
type Encoded = Record<string, readonly Carried[]>;

/** What is told of a socket: the fields whose values come from the app and from clients. */
export const OF_SOCKET = ['handshake', 'data'] as const;

/**
 * Fields whose values are as clients would decode them, which others can read; and beside them, where these could change on the way, as they have
 * been encoded.
 * @param isDecoded whether they are what a client has sent
 * @throws TypeError or RangeError where one cannot be encoded
 */
export function closeValues<Fields extends object>(
  fields: Fields,
  names: readonly (keyof Fields & string)[],
  codec: PacketCodec,
  isDecoded = false,
): Fields & { readonly encoded?: Encoded } {
  const encoded: Encoded = {};
  const values: Record<string, unknown> = {};
  for (const name of names) {
    const frames = codec.encodeAnswer(fields[name], isDecoded);
    const value = codec.decodeAnswer(frames);
    const isWhole = isCarried(value, false, MAX_LEVELS);
    if (!isWhole || hasBytes(value)) encoded[name] = frames.map(carry);
    values[name] = isWhole || makeReadable(value, MAX_LEVELS) ? value : null;
  }
  return { ...fields, ...values, ...(Object.keys(encoded).length > 0 && { encoded }) };
}

/** The fields that have come, with these values as they were encoded, where they have come so. @throws InvalidMessage where they cannot be decoded */
export function openValues(fields: unknown, names: readonly string[], codec: PacketCodec): unknown {
  if (!isObject(fields) || !isObject(fields['encoded'])) return fields;
  const { encoded, ...rest } = fields;
  const opened: Record<string, unknown> = rest;
  for (const name of names) {
    const frames = encoded[name];
    if (Array.isArray(frames)) opened[name] = codec.readAnswer(frames.map(uncarry));
  }
  return opened;
}

function hasBytes(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return bytesOf(value) !== undefined || Object.values(value).some(hasBytes);
}

function carry(frame: Frame): Carried {
  return typeof frame === 'string' ? frame : { base64: Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength).toString('base64') };
}

function uncarry(frame: unknown): unknown {
  return isObject(frame) && typeof frame['base64'] === 'string' ? Buffer.from(frame['base64'], 'base64') : frame;
}

/** The sockets of an answer, opened. */
export function openSockets(sockets: unknown, codec: PacketCodec): unknown {
  return Array.isArray(sockets) ? sockets.map(socket => openValues(socket, OF_SOCKET, codec)) : sockets;
}

/** By the arguments of a serverSideEmit(): how they have been encoded, where others could not carry them. */
const encodedArguments = new WeakMap<object, readonly Carried[]>();

/** The arguments of a serverSideEmit() as others read them; a callback stays. @throws where they cannot be encoded */
export function closeArguments(args: readonly unknown[], codec: PacketCodec): unknown[] {
  const callback = args.at(-1);
  const hasCallback = typeof callback === 'function';
  const { values, encoded } = closeValues({ values: hasCallback ? args.slice(0, -1) : args }, ['values'], codec);
  const closed = [...((values as readonly unknown[] | null) ?? [''])]; // null, where others cannot read them: nobody listens to ''
  if (encoded?.['values']) encodedArguments.set(closed, encoded['values']);
  if (hasCallback) closed.push(callback);
  return closed;
}

/** A field with closed arguments, and beside it how they have been encoded. */
export function fieldOfArguments<Name extends string>(
  name: Name,
  args: unknown,
): { [_ in Name]: unknown } & { readonly encoded?: Encoded } {
  const frames = isObject(args) ? encodedArguments.get(args) : undefined;
  return { [name]: args, ...(frames && { encoded: { [name]: frames } }) } as { [_ in Name]: unknown }; // a computed key has any name
}
