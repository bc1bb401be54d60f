/** Messages in the form of `@socket.io/postgres-adapter`: JSON in a notification, or MessagePack in a row of a table, with its id in a notification. */
import { bytesOf } from '../json';
import { isObject } from '../backend-message';
import { InvalidMessage } from '../inbox';

/** In bytes. PostgreSQL accepts notifications of less than 8000 bytes. */
export const MAX_NOTIFICATION = 7999;
/** In bytes. PostgreSQL truncates a longer name in LISTEN, and refuses it in NOTIFY. */
const MAX_CHANNEL = 63;

/** The fields of a ClusterAdapter's message that are read here. */
export interface Message {
  readonly uid?: string | undefined;
  readonly nsp?: string | undefined;
  readonly type?: unknown;
}

/** The notification for a message in the table. */
export interface Header extends Pick<Message, 'uid' | 'type'> {
  /** The id of the row. A number if the other server has configured `pg` to read a bigint as one. */
  readonly attachmentId: string | number;
}

/** The channel of a namespace, valid in both LISTEN and NOTIFY: clients can choose names, if the app permits it. */
export function channelOf(prefix: string, nsp = '/'): string {
  const bytes = Buffer.from(`${prefix}#${nsp}`.replaceAll('\0', '\ufffd'));
  return new TextDecoder().decode(bytes.subarray(0, MAX_CHANNEL), { stream: true }); // without half a character at the end
}

export function asIdentifier(channel: string): string {
  return `"${channel.replaceAll('"', '""')}"`;
}

/** The message as JSON. Undefined if it contains bytes, or is too large. */
export function asNotification(message: Message, maxBytes: number): string | undefined {
  if (hasBytes(message)) return undefined;
  const json = JSON.stringify(message);
  return Buffer.byteLength(json) <= maxBytes ? json : undefined;
}

export function headerOf({ uid, type }: Message, attachmentId: string): string {
  return JSON.stringify({ uid, type, attachmentId });
}

/**
 * Parses a notification.
 * @throws InvalidMessage if no adapter can have sent it
 */
export function parse(payload: string): Message | Header {
  const value = decodeObject(JSON.parse, payload);
  const { attachmentId } = value;
  if (attachmentId !== undefined && !isRowId(attachmentId)) throw new InvalidMessage();
  return value;
}

/** @throws InvalidMessage if the value cannot be decoded, or is not an object */
export function decodeObject<Encoded>(decode: (encoded: Encoded) => unknown, encoded: Encoded): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = decode(encoded);
  } catch {} // `value` stays undefined
  if (!isObject(value)) throw new InvalidMessage();
  return value;
}

/** Whether a value is the id of a row: a bigserial. */
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
