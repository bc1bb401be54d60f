/** What has happened to the former socket of a client while its new one waited. */
import { isDeepStrictEqual } from 'node:util';
import type { Socket } from 'socket.io';

/** Joins and leaves what the former socket has joined and left meanwhile. */
export function followRooms(joined: Set<string>, before: readonly string[], after: readonly string[]): void {
  for (const room of after) if (!before.includes(room)) joined.add(room);
  for (const room of before) if (!after.includes(room)) joined.delete(room);
}

/** Sets what the former socket has set meanwhile, and removes what that has removed, unless the new one has set it as well. */
export function followData(socket: Socket, before: unknown, after: unknown): void {
  const [data, was, is] = [socket.data, before, after] as Record<string, unknown>[]; // any, and objects by default
  if (!data || !was || !is) return;
  for (const key of new Set([...Object.keys(was), ...Object.keys(is)])) {
    if (!isDeepStrictEqual(data[key], was[key]) || isDeepStrictEqual(is[key], was[key])) continue;
    if (key in is) data[key] = is[key];
    else delete data[key];
  }
}
