/** What a client is told before its connection ends for a limit. */
import type { Socket as EngineSocket } from 'engine.io';
import { writeAtOnce } from '../internals/engine-connection';
import { namespacesOf, socketInternals } from '../internals/socket-io';
import { PacketType } from '../protocol';
import { clientOf } from './clients';

/**
 * Sends the event `error` to each namespace that the client is connected to. Nothing waits for the client to read it: it may miss the event if the
 * operating system has not taken it yet, or if it was about to send more, and over polling if no request of it waits.
 */
export function sayWhy(connection: EngineSocket, limit: string): void {
  const client = clientOf(connection);
  if (!client) return;
  // not by emit(): it would call listeners of the app, and be kept for recovery
  const data = ['error', `The limit ${limit} is reached`, { code: 'LIMIT_REACHED', limit }];
  writeAtOnce(connection, () => {
    for (const socket of namespacesOf(client).values()) socketInternals(socket).packet({ type: PacketType.EVENT, data });
  });
}
