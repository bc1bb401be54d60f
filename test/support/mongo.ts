/**
 * The folder of an app with the official adapter for MongoDB and a `mongodb` that has no server: its collection keeps documents in memory, and
 * tells those who watch it of each one that is inserted. Documents go through the BSON of the real driver, with its defaults.
 */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';

/** The official adapter, which depends on the driver. */
const ADAPTER = require.resolve('@socket.io/mongo-adapter');

export interface Mongo {
  /** The app's folder. */
  readonly folder: string;
  readonly inserted: readonly object[];
  /** From now on the database answers nothing. */
  readonly goDown: () => void;
  /** From now on the database refuses each insertion with this error, if any. */
  readonly refuse: (error: Error | undefined) => void;
}

export async function startMongo(t: TestContext): Promise<Mongo> {
  const folder = await mkdtemp(join(tmpdir(), 'mongo-'));
  t.after(() => rm(folder, { recursive: true }));
  for (const [name, code] of [
    ['@socket.io/mongo-adapter', ADAPTER_CODE],
    ['mongodb', CODE],
  ] as const) {
    const place = join(folder, 'node_modules', name);
    await mkdir(place, { recursive: true });
    await writeFile(join(place, 'index.js'), code);
  }
  const { inserted, goDown, refuse } = require(join(folder, 'node_modules/mongodb')) as Omit<Mongo, 'folder'>;
  return { folder, inserted, goDown, refuse };
}

/** The adapter keeps a timer of each question although all have answered it: it must not keep the process. */
const ADAPTER_CODE = `
  const Module = require('node:module');
  const { readFileSync } = require('node:fs');
  const { dirname } = require('node:path');
  const filename = ${JSON.stringify(ADAPTER)};
  module.filename = filename; // from where it requires
  module.paths = Module._nodeModulePaths(dirname(filename));
  const before = '"use strict"; const setTimeout = (...args) => globalThis.setTimeout(...args).unref();';
  module._compile(before + readFileSync(filename, 'utf8'), filename);`;

const CODE = `
  const { EventEmitter } = require('node:events');
  const { setImmediate: nextTurn } = require('node:timers/promises');
  const { BSON } = require(${JSON.stringify(createRequire(ADAPTER).resolve('mongodb'))});
  const inserted = exports.inserted = [];
  let isUp = true;
  exports.goDown = () => (isUp = false);
  let refusal;
  exports.refuse = error => (refusal = error);
  const streams = new Set();
  const collection = {
    async insertOne(document) {
      document._id ??= new BSON.ObjectId(); // the driver puts it there
      await nextTurn(); // and encodes when it writes
      if (refusal) throw refusal;
      const bytes = BSON.serialize(document, { ignoreUndefined: false });
      inserted.push(document);
      for (const { stream, uid } of streams)
        if (uid !== document.uid) setImmediate(() => stream.emit('change', { operationType: 'insert', fullDocument: BSON.deserialize(bytes) }));
      return { insertedId: document._id };
    },
    watch([{ $match }]) {
      const stream = Object.assign(new EventEmitter(), { close: async () => void streams.delete(entry) });
      const entry = { stream, uid: $match['fullDocument.uid'].$ne }; // a server does not watch its own
      streams.add(entry);
      return stream;
    },
  };
  exports.MongoClient = class {
    db() { return { command: async () => isUp ? { ok: 1 } : new Promise(() => {}), createCollection: async () => {}, collection: () => collection }; }
    async close() {}
  };`;
