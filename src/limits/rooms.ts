/** The rooms of one connection: their number, and how long their names may be. */
import type { RoomsLimit } from '../config/limits';
import { IoError } from '../errors';
import { isReservedRoom } from '../rooms';

/** Set while an adapter makes several sockets join: an error would keep the next ones out. */
export const joins = { areOfMany: false };

/**
 * Returns the error if a connection may not join, else undefined.
 * @param rooms as the app has given them
 * @param id of the socket: its own room does not count, nor do reserved ones
 */
export function refusalOfJoin(
  rooms: unknown,
  { max, nameLength }: Readonly<Required<RoomsLimit>>,
  joined: ReadonlySet<string>,
  id: string,
): IoError | undefined {
  const isLong = (room: unknown): boolean => typeof room === 'string' && room.length > nameLength && room !== id;
  if (Array.isArray(rooms) ? rooms.some(isLong) : isLong(rooms)) return new IoError('ROOM_TOO_LONG', 'The name of the room is too long');
  const count = Array.isArray(rooms) ? rooms.length : 1;
  if (joined.size + count <= max) return undefined; // the usual case, without counting those that do not count
  let own = 0;
  for (const room of new Set([...joined, ...[rooms].flat()])) if (room !== id && !isReservedRoom(room)) own++;
  return own > max ? new IoError('TOO_MANY_ROOMS', 'Too many rooms', { status: 429 }) : undefined;
}
