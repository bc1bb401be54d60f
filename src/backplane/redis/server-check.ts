/** Checks whether the server forwards published messages to all other servers. */
import type { RedisConfig } from '../../config/options';
import { toError } from '../../thrown';
import { CONNECT_TIMEOUT } from '../pulsed-backplane';
import type { Refusal } from '../refusals';
import { type Client, createClient } from './client';

export const NO_CHANNELS = 'answers PING but closes connections that publish, as the proxy twemproxy does';

const IS_REPLICA = 'is a replica';

/** The refusal of a replica, which forwards messages only to its own subscribers. Undefined for a master, or if the role is unknown. */
export async function refusalOfReplica(client: Client): Promise<Refusal | undefined> {
  if ((await roleOf(client)) !== 'replica') return undefined;
  return {
    problem: IS_REPLICA,
    solved: 'is a master now',
    effect: 'events of this server reach only servers at the same replica, and questions to other servers fail',
    remedy: 'point config.io.redis at the master',
    error: new Error('HELLO, or ROLE: replica'),
    stopsQuestions: true,
    async retry() {
      if ((await roleOf(client)) !== 'master') throw new Error(IS_REPLICA);
    },
  };
}

/** HELLO needs no rights, but Redis 6 or newer. */
async function roleOf(client: Client): Promise<'master' | 'replica' | undefined> {
  const answer = await client.call('HELLO').then(
    fields => (Array.isArray(fields) ? (fields as unknown[])[fields.indexOf('role') + 1] : undefined),
    async () =>
      client.call('ROLE').then(
        fields => (Array.isArray(fields) ? (fields as unknown[])[0] : undefined),
        () => undefined,
      ),
  );
  return answer === 'master' ? 'master' : answer === 'replica' || answer === 'slave' ? 'replica' : undefined;
}

/**
 * Whether the server answers PING, but closes a connection that publishes, without an error. The proxy twemproxy does so: it does not support
 * channels. A starting Redis, or a load balancer without a server, does not answer PING either.
 */
export async function hasNoChannels(config: RedisConfig): Promise<boolean> {
  const client = createClient(config, {
    enableReadyCheck: false,
    disableClientInfo: true,
    enableOfflineQueue: true,
    maxRetriesPerRequest: 0,
    commandTimeout: CONNECT_TIMEOUT,
    retryStrategy: () => null,
    onSend: () => {},
    onFailure: () => {},
  });
  client.on('error', () => {}); // the commands fail as well
  try {
    await client.ping();
    return await client.publish('', '').then(
      () => false,
      (error: unknown) => toError(error).name !== 'ReplyError',
    );
  } catch {
    return false;
  } finally {
    client.disconnect();
  }
}
