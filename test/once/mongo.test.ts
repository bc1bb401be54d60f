/**
 * MongoDB as the backplane. There is no server of it here: the collection is a fake, which keeps documents in memory and tells those who
 * watch it of each one that is inserted. The adapter is the real one.
 */
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import type { ServerOptions } from 'socket.io';
import { type AdapterServer, allHeard, allKnown, enter, startServer } from '../support/adapters';
import { Logs } from '../support/logs';
import { createAdapterFactory, createBackplane, Deprecations, readConfig } from '../support/parts';
import { watchForCrashes } from '../support/remains';

test('MongoDB: a broadcast reaches other servers; a local one neither them nor the collection', async t => {
  watchForCrashes(t);
  const folder = await fakeMongo(t);
  const [one, other] = [await start(t, folder), await start(t, folder)];
  await allKnown([one, other]);
  const people = [await enter(t, one), await enter(t, other)];
  one.io.local.emit('near');
  one.io.emit('everywhere');
  assert.deepEqual(await allHeard(one.io.of('/'), people), [[['near'], ['everywhere']], [['everywhere']]]);
  const { inserted } = require(join(folder, 'node_modules/mongodb')) as { inserted: object[] };
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

/** The folder of an app that has the real adapter, and a `mongodb` of its own. */
async function fakeMongo(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'mongo-'));
  t.after(() => rm(folder, { recursive: true }));
  for (const [name, code] of [
    ['@socket.io/mongo-adapter', `module.exports = require(${JSON.stringify(require.resolve('@socket.io/mongo-adapter'))});`],
    ['mongodb', FAKE],
  ] as const) {
    const place = join(folder, 'node_modules', name);
    await mkdir(place, { recursive: true });
    await writeFile(join(place, 'index.js'), code);
  }
  return folder;
}

const FAKE = `
  const { EventEmitter } = require('node:events');
  const inserted = exports.inserted = [];
  const streams = new Set();
  const collection = {
    async insertOne(document) {
      inserted.push(document);
      const event = { operationType: 'insert', fullDocument: JSON.parse(JSON.stringify(document)) };
      for (const { stream, uid } of streams) if (uid !== document.uid) setImmediate(() => stream.emit('change', event));
      return { insertedId: String(inserted.length) };
    },
    watch([{ $match }]) {
      const stream = Object.assign(new EventEmitter(), { close: async () => void streams.delete(entry) });
      const entry = { stream, uid: $match['fullDocument.uid'].$ne }; // a server does not watch its own
      streams.add(entry);
      return stream;
    },
  };
  exports.MongoClient = class {
    db() { return { command: async () => ({ ok: 1 }), createCollection: async () => {}, collection: () => collection }; }
    async close() {}
  };`;
