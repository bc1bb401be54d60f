/**
 * Values that servers send each other besides broadcasts: the arguments of serverSideEmit(), answers, and the data of sockets. With every
 * adapter, the receiver gets the values that a client would decode.
 */
import { isObject } from './backend-message';
import { isCarried, makeReadable } from './carried';
import { bytesOf } from './json';
import type { Frame, PacketCodec } from './packet-codec';

/** Fewer than for broadcasts, since messages with answers have more levels of their own. */
const MAX_LEVELS = 80;

/** A frame that every adapter can send: not all of them support bytes in every message. */
export type Carried = string | { readonly base64: string };

/** Encoded values by field. Servers of this plugin read them in place of the fields; other servers ignore them. */
type Encoded = Record<string, readonly Carried[]>;

/** The fields of a socket's details with values of the app or of clients. */
export const OF_SOCKET = ['handshake', 'data'] as const;

/**
 * Replaces values by those that clients would decode. If one could change on the way, or contains bytes, `encoded` has it as well. A value that
 * other servers could not read becomes null.
 * @param isDecoded whether a client has sent the values
 * @throws TypeError or RangeError if a value cannot be encoded
 */
export function packValues<Fields extends object>(
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

/** Reverses `packValues`: replaces received values by the encoded ones, if there are any. @throws InvalidMessage if these cannot be decoded */
export function unpackValues(fields: unknown, names: readonly string[], codec: PacketCodec): unknown {
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

export function carry(frame: Frame): Carried {
  return typeof frame === 'string' ? frame : { base64: Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength).toString('base64') };
}

export function uncarry(frame: unknown): unknown {
  return isObject(frame) && typeof frame['base64'] === 'string' ? Buffer.from(frame['base64'], 'base64') : frame;
}

/** The same for the sockets of an answer. */
export function unpackSockets(sockets: unknown, codec: PacketCodec): unknown {
  return Array.isArray(sockets) ? sockets.map(socket => unpackValues(socket, OF_SOCKET, codec)) : sockets;
}

/** For the arguments of a serverSideEmit(), their encoded form, if they could change on the way. */
const encodedArguments = new WeakMap<object, readonly Carried[]>();

/** The arguments of a serverSideEmit() in the form that other servers read, and its callback. @throws if they cannot be encoded */
export function packArguments(args: readonly unknown[], codec: PacketCodec): unknown[] {
  const callback = args.at(-1);
  const hasCallback = typeof callback === 'function';
  const { values, encoded } = packValues({ values: hasCallback ? args.slice(0, -1) : args }, ['values'], codec);
  const closed = [...((values as readonly unknown[] | null) ?? [''])]; // null if others could not read them: then an event '' without listeners
  if (encoded?.['values']) encodedArguments.set(closed, encoded['values']);
  if (hasCallback) closed.push(callback);
  return closed;
}

/** A field with the result of `packArguments`, and its encoded form, if any. */
export function fieldOfArguments<Name extends string>(
  name: Name,
  args: unknown,
): { [_ in Name]: unknown } & { readonly encoded?: Encoded } {
  const frames = isObject(args) ? encodedArguments.get(args) : undefined;
  return { [name]: args, ...(frames && { encoded: { [name]: frames } }) } as { [_ in Name]: unknown }; // a computed key has any name
}
