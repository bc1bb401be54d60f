/** What every adapter has to do, of those that need a server of their own: real ones, but for MongoDB. */
import type { TestContext } from 'node:test';
import type { ServerOptions } from 'socket.io';
import { type AdapterServer, conformance, type Join, startServer } from '../support/adapters';
import { ROOT } from '../support/app';
import { Logs } from '../support/logs';
import { createAdapterFactory, createBackplane, Deprecations, readConfig } from '../support/parts';
import { startMongo } from '../support/mongo';
import { newPostgres } from '../support/postgres';
import { startRedis } from '../support/redis';
import { valuesConform } from '../support/value-cases';

function joinBy(t: TestContext, io: object, baseDir = ROOT): Join {
  return async (options = {}): Promise<AdapterServer> => {
    const settings = readConfig({ io }, 1, () => {}).adapter;
    const logs = new Logs();
    const link = createBackplane(settings, { logger: logs, baseDir, hub: undefined });
    if (!link) throw new Error('no adapter is asked for');
    const create = createAdapterFactory(
      { init: options, adapter: settings },
      { backplane: link, deprecations: new Deprecations(logs), logger: logs },
    );
    const adapter = create as unknown as NonNullable<ServerOptions['adapter']>; // typed as a class only
    const server = await startServer(t, { adapter, ...options }, async () => link.close());
    await link.ready();
    return server;
  };
}

const inMemory = async (t: TestContext): Promise<Join> => {
  let server: AdapterServer | undefined;
  return async ({ connectionStateRecovery, ...options } = {}) => {
    const init = { ...(connectionStateRecovery && { connectionStateRecovery }) };
    const create = createAdapterFactory(
      { init, adapter: undefined },
      { backplane: undefined, deprecations: new Deprecations(new Logs()), logger: new Logs() },
    );
    const adapter = create as unknown as NonNullable<ServerOptions['adapter']>; // typed as a class only
    return (server ??= await startServer(t, { adapter, ...init, ...options }));
  };
};

conformance('in memory', inMemory, { alone: true });

const redis = (adapter: string) => async (t: TestContext) => {
  const { port } = await startRedis(t);
  return joinBy(t, { adapter, redis: { port } });
};

conformance('redis', redis('redis'));

const SUBSCRIBES = 'a room of which a server has its first client is subscribed to meanwhile';

conformance('redis-sharded', redis('redis-sharded'), {
  except: {
    'a broadcast to a room reaches those who were made to join it just before, and not those who left': SUBSCRIBES,
    'a socket of another server is emitted to, asked, joined and disconnected': SUBSCRIBES,
  },
});

conformance('redis-streams', redis('redis-streams'));

const postgres = async (t: TestContext): Promise<Join> => {
  const server = await newPostgres(t);
  await server.start();
  return joinBy(t, { adapter: { name: 'postgres', connection: server.url } });
};

conformance('postgres', postgres);

const mongo = async (t: TestContext): Promise<Join> => {
  const { folder } = await startMongo(t);
  return joinBy(
    t,
    { adapter: { name: 'mongo', url: 'mongodb://fake', database: 'io', heartbeatInterval: 500, heartbeatTimeout: 5000 } },
    folder,
  );
};

conformance('mongo, with a stand-in for the database', mongo);

valuesConform('in memory', inMemory, { alone: true, recovers: true });
valuesConform('redis', redis('redis'));
valuesConform('redis-sharded', redis('redis-sharded'));
valuesConform('redis-streams', redis('redis-streams'), { recovers: true });
valuesConform('postgres', postgres);
valuesConform('mongo, with a stand-in for the database', mongo);
