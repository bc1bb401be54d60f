/** How a command that Redis has refused is tried again, without a trace: nobody reads the channels and keys that are used, and nothing stays there. */
import { randomUUID } from 'node:crypto';
import { toError } from '../../errors';
import type { Refusal } from '../refusals';
import type { Client, Command } from './client';

/**
 * The end of such a channel or key: that of the refused command and this, as if it were a room that has no sockets.
 * Whoever may use the one may use the other.
 */
const PROBE = `${randomUUID()}#`;

/** Redis looks at the id after everything for which it may refuse the command. */
const IMPOSSIBLE_ID = '0-0';
const ID_ERROR = /ID specified in XADD must be greater than 0-0/;

export function isProbe({ args }: Command): boolean {
  return args.flat().some(arg => String(arg).endsWith(PROBE));
}

/** Whether the error is what a probe wants to be answered. */
export function isAnswerToProbe(error: Error): boolean {
  return ID_ERROR.test(error.message);
}

/** Undefined where whoever has sent the command tries again. */
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
    case 'del':
      return async () => client.del(probe);
    case 'set':
      return async () => client.set(probe, '', 'PX', 1);
    case 'multi':
    case 'exec':
      return async () => client.multi().exec();
    default:
      return undefined;
  }
}

async function addNothing(client: Client, stream: string): Promise<void> {
  await client.xrevrange(stream, '+', '-', 'COUNT', 1); // what is no stream shows here
  await client.xadd(stream, IMPOSSIBLE_ID, PROBE, '').catch((error: unknown) => {
    if (!isAnswerToProbe(toError(error))) throw error;
  });
}
