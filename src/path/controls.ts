/**
 * Control events: those between this plugin and clients that know it, such as the one of `egg-socket.io/client`. Their names begin with `$io:`.
 * They pass neither routes, middleware nor listeners of the app.
 */
import type { Socket } from 'socket.io';
import { IoError } from '../errors';
import type { Acknowledge } from '../events';
import { RESERVED } from '../rooms';

/**
 * Handles a control event. What it returns or resolves with is the acknowledgement, unless that is undefined; what it throws is answered like an
 * error of a handler.
 * @param args what the client sent, of any number and types, without the acknowledgement function
 */
export type Control = (socket: Socket, args: readonly unknown[], ack: Acknowledge | undefined) => unknown;

/** For a control event that this server does not know. Created once, since a client can send many, and so frozen. */
export const UNKNOWN_CONTROL = new IoError('RESERVED_EVENT', `Events that begin with '${RESERVED}' are reserved`);
Object.freeze(UNKNOWN_CONTROL);

/** By event: its whole name, such as `$io:send`. */
export type Controls = Map<string, Control>;

export function isControl(event: unknown): boolean {
  return typeof event === 'string' && event.startsWith(RESERVED);
}
