/** The names that this plugin keeps for itself: of rooms, among them the room of each user, and of control events. */
import { IoError, mistakeOf } from './errors';

/** The beginning of reserved names. */
export const RESERVED = '$io:';
const OF_USERS = `${RESERVED}user:`;
const OF_OWNERS = `${RESERVED}owner:`;

/** The longest id of a user, in characters. */
const MAX_ID = 200;

/** Control characters, line breaks of Unicode, and halves of characters, which not every adapter can carry. */
const UNUSABLE = /[\p{Cc}\p{Cs}\u2028\u2029]/u;

export function isReservedRoom(room: unknown): boolean {
  return typeof room === 'string' && room.startsWith(RESERVED);
}

export function isRoomOfUser(room: string): boolean {
  return room.startsWith(OF_USERS);
}

/** Whether it is a room of the owner of a session that can be recovered. */
export function isRoomOfOwner(room: string): boolean {
  return room.startsWith(OF_OWNERS);
}

/** @param id as `userIdOf` returns it */
export function roomOfOwner(id: string): string {
  return OF_OWNERS + id;
}

/**
 * To be called with what the app gives as a room or as several, which it may have from a client.
 * @throws IoError if one of them is reserved
 */
export function refuseReserved(rooms: unknown): void {
  if (Array.isArray(rooms) ? rooms.some(isReservedRoom) : isReservedRoom(rooms))
    throw new IoError('RESERVED_ROOM', `Room names that begin with '${RESERVED}' are reserved`);
}

/** The rooms that the app has joined: the same set, or a copy without those that are reserved. */
export function ownRoomsOf(rooms: Set<string>): Set<string> {
  for (const room of rooms) if (isReservedRoom(room)) return new Set([...rooms].filter(one => !isReservedRoom(one)));
  return rooms;
}

/** The room of all connections of a user in a namespace. @param id as `userIdOf` returns it */
export function roomOfUser(id: string): string {
  return OF_USERS + id;
}

/** The user whose room this is. Undefined for any other room. */
export function userOfRoom(room: string): string | undefined {
  return isRoomOfUser(room) ? room.slice(OF_USERS.length) : undefined;
}

/** The id of a user as text, which is what rooms have: `7` and `'7'` are the same user. @throws TypeError if it cannot be one */
export function userIdOf(given: unknown): string {
  const id = typeof given === 'number' && Number.isFinite(given) ? String(given) : given;
  if (typeof id === 'string' && id !== '' && id.length <= MAX_ID && !UNUSABLE.test(id)) return id;
  const got = typeof id === 'string' ? `a string of ${id.length}` : id === null || typeof id === 'number' ? String(id) : typeof id;
  const wanted = `a finite number, or a string of 1 to ${MAX_ID} characters without control characters`;
  throw mistakeOf('IO_USER_INVALID', `the id of a user must be ${wanted}; it is ${got}`);
}
