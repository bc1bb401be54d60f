/** What a client says of itself in `auth.$io`: that it knows the control events of this plugin. */
import type { Socket } from 'socket.io';

export interface ClientHello {
  /** A random secret of the client, kept for its page's life. It stands for the user while there is none. */
  readonly owner?: string;
  /** Whether it takes the events of rooms with history together with their positions. */
  readonly history?: true;
  /** Whether it connects elsewhere when it is asked to. */
  readonly move?: true;
}

/** Too short to be guessed, or too long to be kept, is no secret. */
const OWNER = /^[\w.-]{20,64}$/;

/** Undefined for a client that does not know control events, such as the official one alone. Then it must not get any. */
export function helloOf({ handshake }: Pick<Socket, 'handshake'>): ClientHello | undefined {
  const { auth } = handshake as { auth?: unknown }; // from the client, of any type; undefined with protocol 3
  const hello = fieldsOf(fieldsOf(auth)?.['$io']);
  const { v: version, owner, history, move } = hello ?? {};
  if (typeof version !== 'number' || !Number.isSafeInteger(version) || version < 1) return undefined;
  return {
    ...(typeof owner === 'string' && OWNER.test(owner) && { owner }),
    ...(history === true && { history }),
    ...(move === true && { move }),
  };
}

function fieldsOf(value: unknown): Record<string, unknown> | undefined {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined; // an object has any fields
}
