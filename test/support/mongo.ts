/**
 * The folder of an app with the official adapter for MongoDB and a `mongodb` that has no server: its collection keeps documents in memory, and
 * tells those who watch it of each one that is inserted. Documents go through the BSON of the real driver, with its defaults.
 */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { TestContext } from 'node:test';
import type { Files } from './app';

/** The official adapter, which depends on the driver. */
const ADAPTER = require.resolve('@socket.io/mongo-adapter');

export interface Mongo {
  /** The app's folder. */
  readonly folder: string;
  /** For another app with the same database. */
  readonly files: Files;
  readonly inserted: readonly object[];
  /** From now on the database answers nothing. */
  readonly goDown: () => void;
  /** From now on the database refuses each insertion with this error, if any. */
  readonly refuse: (error: Error | undefined) => void;
}

export async function startMongo(t: TestContext): Promise<Mongo> {
  const folder = await mkdtemp(join(tmpdir(), 'mongo-'));
  t.after(() => rm(folder, { recursive: true }));
  const files: Record<string, string> = {};
  for (const [name, code] of [
    ['@socket.io/mongo-adapter', ADAPTER_CODE],
    ['mongodb', CODE],
  ] as const) {
    const path = `node_modules/${name}/index.js`;
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), code);
    files[path] = `module.exports = require(${JSON.stringify(join(folder, path))});`;
  }
  const { inserted, goDown, refuse } = require(join(folder, 'node_modules/mongodb')) as Omit<Mongo, 'folder' | 'files'>;
  return { folder, files, inserted, goDown, refuse };
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
