/** Messages in the form of `@socket.io/postgres-adapter`: JSON in a notification, or MessagePack in a table, of whose row a notification tells. */
import { bytesOf } from '../json';
import { isObject } from '../backend-message';
import { InvalidMessage } from '../inbox';

/** Bytes. PostgreSQL takes notifications of less than 8000. */
export const MAX_NOTIFICATION = 7999;
/** Bytes. PostgreSQL cuts off what is longer in LISTEN, and refuses it in NOTIFY. */
const MAX_CHANNEL = 63;

/** A message of a ClusterAdapter, as far as it is looked at here. */
export interface Message {
  readonly uid?: string | undefined;
  readonly nsp?: string | undefined;
  readonly type?: unknown;
}

/** What tells of a row in the table. */
interface Header {
  readonly uid?: unknown;
  /** A number where the other server has set `pg` up to read a bigint as one. */
  readonly attachmentId: string | number;
}

/** The channel of a namespace, as both LISTEN and NOTIFY take it: clients may make names up, where the app lets them. */
export function channelOf(prefix: string, nsp = '/'): string {
  const bytes = Buffer.from(`${prefix}#${nsp}`.replaceAll('\0', '\ufffd'));
  return new TextDecoder().decode(bytes.subarray(0, MAX_CHANNEL), { stream: true }); // without half a character at the end
}

export function asIdentifier(channel: string): string {
  return `"${channel.replaceAll('"', '""')}"`;
}

/** The message as JSON. Undefined where it has bytes, or is too large. */
export function asNotification(message: Message, maxBytes: number): string | undefined {
  if (hasBytes(message)) return undefined;
  const json = JSON.stringify(message);
  return Buffer.byteLength(json) <= maxBytes ? json : undefined;
}

export function headerOf({ uid, type }: Message, attachmentId: string): string {
  return JSON.stringify({ uid, type, attachmentId });
}

/**
 * What a notification says.
 * @throws InvalidMessage where no adapter can have sent it
 */
export function parse(payload: string): Message | Header {
  const value = decodeObject(JSON.parse, payload);
  const { attachmentId } = value;
  if (attachmentId !== undefined && !isRowId(attachmentId)) throw new InvalidMessage();
  return value;
}

/** @throws InvalidMessage where it cannot be decoded, or is not an object */
export function decodeObject<Encoded>(decode: (encoded: Encoded) => unknown, encoded: Encoded): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = decode(encoded);
  } catch {} // as if it were nothing
  if (!isObject(value)) throw new InvalidMessage();
  return value;
}

/** Whether it is the id of a row: a bigserial. */
function isRowId(value: unknown): boolean {
  return typeof value === 'string' ? /^\d{1,19}$/.test(value) : Number.isSafeInteger(value) && Number(value) >= 0;
}

export function isHeader(message: Message | Header): message is Header {
  return 'attachmentId' in message;
}

function hasBytes(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return bytesOf(value) !== undefined || Object.values(value).some(hasBytes);
}
