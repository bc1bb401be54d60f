/** The rooms of one connection: their number, and how long their names may be. */
import type { RoomsLimit } from '../config/limits';
import { IoError } from '../errors';
import { isReservedRoom } from '../rooms';

/** The socket that an adapter makes join with others, while it does so: an error would keep the next ones out. */
export const joins: { of: unknown } = { of: undefined };

/** How many rooms of a socket count, by all that it has. Of those that have been at their limit. */
const counted = new WeakMap<ReadonlySet<string>, { readonly size: number; readonly own: number }>();

/**
 * Returns the error if a connection may not join, else undefined.
 * @param rooms as the app has given them, none of them reserved
 * @param id of the socket: its own room does not count, nor do reserved ones
 */
export function refusalOfJoin(
  rooms: unknown,
  { max, nameLength }: Readonly<Required<RoomsLimit>>,
  joined: ReadonlySet<string>,
  id: string,
): IoError | undefined {
  const given: unknown[] = Array.isArray(rooms) ? rooms : [rooms];
  if (given.some(room => typeof room === 'string' && room.length > nameLength && room !== id))
    return new IoError('ROOM_TOO_LONG', 'The name of the room is too long');
  if (joined.size + given.length <= max) return undefined; // the usual case, without counting those that do not count
  const added = new Set(given.filter(room => room !== id && !joined.has(room as string))).size; // a room that is no string is not there
  if (added === 0 || ownOf(joined, id) + added <= max) return undefined;
  return new IoError('TOO_MANY_ROOMS', 'Too many rooms', { status: 429 });
}

/** To be called when a socket leaves a room, or several. */
export function forgetCount(joined: ReadonlySet<string>): void {
  counted.delete(joined);
}

/** Does not look at each room again for each that a client asks for in vain. */
function ownOf(joined: ReadonlySet<string>, id: string): number {
  const before = counted.get(joined);
  if (before?.size === joined.size) return before.own;
  let own = 0;
  for (const room of joined) if (room !== id && !isReservedRoom(room)) own++;
  counted.set(joined, { size: joined.size, own });
  return own;
}
