/** What every adapter has to do, of those that need a server of their own: real ones. */
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { Namespace, ServerOptions } from 'socket.io';
import type { Adapter } from 'socket.io-adapter';
import type * as adapter from '../../dist/adapter';
import type * as config from '../../dist/config';
import { type AdapterServer, conformance, type Join, startServer } from '../support/adapters';
import { ROOT } from '../support/app';
import { Logs } from '../support/logs';
import { newPostgres } from '../support/postgres';
import { startRedis } from '../support/redis';

// parts of the plugin that apps do not import
const { createLink } = require(join(ROOT, 'dist/adapter')) as typeof adapter;
const { readConfig } = require(join(ROOT, 'dist/config')) as typeof config;

function joinBy(t: TestContext, io: object): Join {
  return async (): Promise<AdapterServer> => {
    const link = createLink(readConfig(io, () => {}).adapter, {}, new Logs(), ROOT);
    if (!link) throw new Error('no adapter is asked for');
    const create = function (nsp: Namespace): Adapter {
      return link.createAdapter(nsp); // Socket.IO calls it with new, which an arrow function does not take
    };
    const adapter = create as unknown as NonNullable<ServerOptions['adapter']>; // typed as a class only
    const server = await startServer(t, { adapter }, () => void link.close());
    await link.ready();
    return server;
  };
}

conformance(
  'in memory',
  async t => {
    const server = await startServer(t, {});
    return async () => Promise.resolve(server);
  },
  { alone: true },
);

const redis = (adapter: string) => async (t: TestContext) => {
  const { port } = await startRedis(t);
  return joinBy(t, { adapter, redis: { port } });
};

conformance('redis', redis('redis'), {
  except: {
    'values arrive elsewhere as they do here: large numbers': 'its msgpack takes them for integers of 64 bits',
    'values arrive elsewhere as they do here: half a character': 'its msgpack writes UTF-8 that is none',
    'array buffers and typed arrays arrive as their bytes': 'its msgpack knows Buffers alone',
    'fetchSockets() brings bytes among the data, and dates as JSON has them': 'it sends JSON',
    'serverSideEmit() carries bytes, there and back': 'it sends JSON',
  },
});

const SUBSCRIBES = 'a room of which a server has its first client is subscribed to meanwhile';
const BUFFERS = 'its msgpack knows Buffers alone';
const AS_SENT = 'its msgpack does not do what JSON does';

conformance('redis-sharded', redis('redis-sharded'), {
  except: {
    'a broadcast to a room reaches those who were made to join it just before, and not those who left': SUBSCRIBES,
    'a socket of another server is emitted to, asked, joined and disconnected': SUBSCRIBES,
    'array buffers and typed arrays arrive as their bytes': BUFFERS,
    'fetchSockets() brings bytes among the data, and dates as JSON has them': AS_SENT,
    'serverSideEmit() carries bytes, there and back': AS_SENT,
  },
});

const OF_MSGPACK = {
  'values arrive elsewhere as they do here: bytes beside a date and undefined': AS_SENT,
  'array buffers and typed arrays arrive as their bytes': AS_SENT,
  'fetchSockets() brings bytes among the data, and dates as JSON has them': AS_SENT,
  'serverSideEmit() carries bytes, there and back': AS_SENT,
};

conformance('redis-streams', redis('redis-streams'), {
  except: { ...OF_MSGPACK, 'acknowledgements carry bytes, and nothing': 'nothing arrives as null' },
});

conformance(
  'postgres',
  async t => {
    const postgres = await newPostgres(t);
    await postgres.start();
    return joinBy(t, { adapter: { name: 'postgres', connection: postgres.url } });
  },
  { except: OF_MSGPACK },
);
