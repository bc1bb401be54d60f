/** The messages between processes about who is present. Each is a text of JSON, which every adapter carries unchanged. */

/** The event of `serverSideEmit()` that has such a message as its argument. */
export const PRESENCE_EVENT = '$io:presence';

/** What a process says of a user's connections to itself: the namespace, the room, the user, the number of connections, the metadata, its time. */
export type Change = readonly [nsp: string, room: string, id: string, connections: number, meta: string | null, at: number];

/** `version` is the number of the latest changes that the sender has sent. */
export type Message = { readonly from: string; readonly version: number } & (
  | { readonly type: 'changes'; readonly changes: readonly Change[] }
  /** Regularly: the sender is alive. */
  | { readonly type: 'beat' }
  /** These processes, or all, are to send all that they have. */
  | { readonly type: 'ask'; readonly to?: readonly string[] }
  /** A part of all that the sender has, for those that have asked. */
  | {
      readonly type: 'copy';
      readonly to: readonly string[];
      readonly part: number;
      readonly parts: number;
      readonly changes: readonly Change[];
    }
  /** The sender closes. */
  | { readonly type: 'bye' }
);

/** Reads a message. Undefined for anything else: whoever can write to a backend can send it. */
export function readMessage(text: unknown): Message | undefined {
  let message: unknown;
  try {
    message = typeof text === 'string' ? JSON.parse(text) : undefined;
  } catch {
    return undefined;
  }
  return isMessage(message) ? message : undefined;
}

function isMessage(value: unknown): value is Message {
  if (typeof value !== 'object' || value === null) return false;
  const { from, version, type, to, part, parts, changes } = value as Record<string, unknown>; // of an object
  if (typeof from !== 'string' || !isCount(version)) return false;
  switch (type) {
    case 'beat':
    case 'bye':
      return true;
    case 'ask':
      return to === undefined || isNames(to);
    case 'changes':
      return isChanges(changes);
    case 'copy':
      return isNames(to) && isCount(part) && isCount(parts) && isChanges(changes);
    default:
      return false;
  }
}

function isChanges(value: unknown): boolean {
  return Array.isArray(value) && value.every(isChange);
}

function isChange(value: unknown): boolean {
  if (!Array.isArray(value)) return false;
  const [nsp, room, id, connections, meta, at] = value as unknown[];
  return isNames([nsp, room, id]) && isCount(connections) && (meta === null || isJson(meta)) && typeof at === 'number';
}

function isNames(value: unknown): boolean {
  return Array.isArray(value) && value.every(one => typeof one === 'string');
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

function isJson(text: unknown): boolean {
  try {
    return typeof text === 'string' && JSON.parse(text) !== undefined;
  } catch {
    return false;
  }
}
