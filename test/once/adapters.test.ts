import type { TestContext } from 'node:test';
import type { ServerOptions } from 'socket.io';
import { type AdapterServer, conformance, type Join, startServer } from '../support/adapters';
import { Logs } from '../support/logs';
import { RedisLink } from '../support/parts';
import { startRedis } from '../support/redis';

async function joinInMemory(t: TestContext): Promise<Join> {
  const server = await startServer(t, {});
  return async () => Promise.resolve(server);
}

async function joinByRedis(t: TestContext): Promise<Join> {
  const { port } = await startRedis(t);
  return async (): Promise<AdapterServer> => {
    const link = new RedisLink({ port }, new Logs());
    // Socket.IO types it as a class only, but takes a factory as well
    const adapter = link.createAdapter as unknown as NonNullable<ServerOptions['adapter']>;
    const server = await startServer(t, { adapter }, () => link.close());
    await link.ready();
    return server;
  };
}

conformance('in memory', joinInMemory, { alone: true });
conformance('Redis', joinByRedis, {
  except: {
    'values arrive elsewhere as they do here: large numbers': 'its msgpack takes them for integers of 64 bits',
    'values arrive elsewhere as they do here: half a character': 'its msgpack writes UTF-8 that is none',
    'array buffers and typed arrays arrive as their bytes': 'its msgpack knows Buffers alone',
    'fetchSockets() brings bytes among the data, and dates as JSON has them': 'it sends JSON',
    'serverSideEmit() carries bytes, there and back': 'it sends JSON',
  },
});
