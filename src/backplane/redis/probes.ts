/** Retries refused commands without leaving a trace: the channels and keys of the retries have no readers, and stay empty. */
import { randomUUID } from 'node:crypto';
import { toError } from '../../thrown';
import type { Refusal } from '../refusals';
import type { Client, Command } from './client';

/**
 * Suffix of such a channel or key: it follows the one of the refused command, like the name of a room without sockets.
 * A user with the right to one has the right to the other.
 */
const PROBE = `${randomUUID()}#`;

/** Redis checks the id last, after all possible reasons for a refusal. */
const IMPOSSIBLE_ID = '0-0';
const ID_ERROR = /ID specified in XADD must be greater than 0-0/;

export function isProbe({ args }: Command): boolean {
  return args.flat().some(arg => String(arg).endsWith(PROBE));
}

/** Whether the error is the expected answer to a probe. */
export function isAnswerToProbe(error: Error): boolean {
  return ID_ERROR.test(error.message);
}

/** Returns the function that retries a command. Undefined if the sender of the command retries it. */
export function retryOf(client: Client, { name, args }: Command): Refusal['retry'] {
  const all = args.flat().map(String);
  const [key = ''] = all;
  const probe = key.endsWith(PROBE) ? key : key + PROBE;
  switch (name.toLowerCase()) {
    case 'publish':
      return async () => client.publish(probe, '');
    case 'spublish':
      return async () => client.spublish(probe, '');
    case 'pubsub':
    case 'xrevrange':
      return async () => client.call(name, ...all);
    case 'xadd':
      return async () => addNothing(client, key);
    case 'xrange':
      return async () => client.xrange(key, IMPOSSIBLE_ID, IMPOSSIBLE_ID);
    case 'get':
      return async () => client.get(probe);
    case 'set':
      return async () => client.set(probe, '', 'PX', 1);
    case 'pexpire':
      return async () => client.pexpire(probe, 1);
    default:
      return undefined;
  }
}

async function addNothing(client: Client, stream: string): Promise<void> {
  await client.xrevrange(stream, '+', '-', 'COUNT', 1); // fails if the key is not a stream
  await client.xadd(stream, IMPOSSIBLE_ID, PROBE, '').catch((error: unknown) => {
    if (!isAnswerToProbe(toError(error))) throw error;
  });
}
