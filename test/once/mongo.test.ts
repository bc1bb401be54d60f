/** MongoDB as the backplane. There is no server of it here: see support/mongo.ts. The adapter is the real one. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import type { ServerOptions } from 'socket.io';
import { type AdapterServer, allHeard, allKnown, enter, startServer } from '../support/adapters';
import { Logs } from '../support/logs';
import { startMongo } from '../support/mongo';
import { createAdapterFactory, createBackplane, Deprecations, readConfig } from '../support/parts';
import { watchForCrashes } from '../support/remains';

test('MongoDB: a broadcast reaches other servers; a local one neither them nor the collection', async t => {
  watchForCrashes(t);
  const { folder, inserted } = await startMongo(t);
  const [one, other] = [await start(t, folder), await start(t, folder)];
  await allKnown([one, other]);
  const people = [await enter(t, one), await enter(t, other)];
  one.io.local.emit('near');
  one.io.emit('everywhere');
  assert.deepEqual(await allHeard(one.io.of('/'), people), [[['near'], ['everywhere']], [['everywhere']]]);
  const text = JSON.stringify(inserted);
  assert.match(text, /everywhere/);
  assert.doesNotMatch(text, /near/);
});

async function start(t: TestContext, folder: string): Promise<AdapterServer> {
  const logs = new Logs();
  const settings = readConfig({ io: { adapter: { name: 'mongo', url: 'mongodb://fake', database: 'io' } } }, 1, () => {}).adapter;
  const backplane = createBackplane(settings, { logger: logs, baseDir: folder, hub: undefined });
  if (!backplane) throw new Error('no adapter is asked for');
  const create = createAdapterFactory({ init: {}, adapter: settings }, { backplane, deprecations: new Deprecations(logs), logger: logs });
  const adapter = create as unknown as NonNullable<ServerOptions['adapter']>; // typed as a class only
  const server = await startServer(t, { adapter }, () => void backplane.close());
  await backplane.ready();
  return server;
}
