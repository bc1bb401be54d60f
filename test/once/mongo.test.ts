/** MongoDB as the backplane. There is no server of it here: see support/mongo.ts. The adapter is the real one. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { setImmediate as nextTurn, setTimeout as nextTimer } from 'node:timers/promises';
import type { ServerOptions } from 'socket.io';
import { type AdapterServer, allHeard, allKnown, enter, ignoresTheClock, startServer } from '../support/adapters';
import { next } from '../support/client';
import { join } from '../support/joined';
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
  const read = other.backplane.inbox.read;
  one.io.local.emit('near');
  one.io.emit('everywhere');
  assert.deepEqual(await allHeard(one.io.of('/'), people), [[['near'], ['everywhere']], [['everywhere']]]);
  assert.ok(other.backplane.inbox.read > read, 'it is counted');
  const text = JSON.stringify(inserted);
  assert.match(text, /everywhere/);
  assert.doesNotMatch(text, /near/);
});

test('MongoDB: a clock that is set changes nothing: servers that are there are asked, and one that has gone is not', async t => {
  watchForCrashes(t);
  const { folder } = await startMongo(t);
  const io = { adapter: { name: 'mongo', url: 'mongodb://fake', database: 'io', heartbeatInterval: 60_000, heartbeatTimeout: 8000 } };
  const [one, other] = [await join(t, io, undefined, folder), await join(t, io, undefined, folder)];
  await Promise.all([one.ready(), other.ready()]);
  await ignoresTheClock(t, one, other);
});

test('MongoDB: a question that only local clients have still to answer goes on in an outage', async t => {
  watchForCrashes(t);
  const { folder, goDown } = await startMongo(t);
  const [one, other] = [await start(t, folder), await start(t, folder)];
  Object.assign(one.backplane, { localTimeout: 0 }); // whoever waits for other servers fails in the turn after
  await allKnown([one, other]);
  const { client } = await enter(t, one);
  const asked = next<[(answer: string) => void]>(client, 'question');
  const answers = one.io.timeout(5000).emitWithAck('question');
  const [answer] = await asked;
  goDown();
  await new Promise<void>(resolve => one.backplane.onUnreachable(resolve));
  await nextTimer(0);
  await nextTurn();
  answer('here');
  assert.deepEqual(await answers, ['here']);
});

test('MongoDB: an insertion that is refused is a line of log with the words of the server, once a minute and then counted', async t => {
  watchForCrashes(t);
  const { folder, refuse } = await startMongo(t);
  const [one, other] = [await start(t, folder), await start(t, folder)];
  await allKnown([one, other]);
  const [alice, bob] = [await enter(t, one), await enter(t, other)];
  const publish = Reflect.get(one.io.of('/').adapter, 'publish') as (document: object) => Promise<string>; // private
  refuse(Object.assign(new Error('not authorized on io'), { name: 'MongoServerError' }));
  for (const n of [1, 2, 3]) one.io.emit('lost', n);
  await assert.rejects(publish({ type: 2 }), /not authorized/); // after the others
  assert.match(
    await one.logs.logged(/REFUSED/),
    /^ERROR .*IO_DATABASE_REFUSED: MongoDB at fake refuses to insert a message, which other servers miss: MongoServerError: not authorized on io /,
  );
  refuse(Object.assign(new Error('connection 1 was closed'), { name: 'MongoNetworkError' })); // an outage begins
  await assert.rejects(publish({ type: 2 }), /connection 1 was closed/);
  refuse(undefined);
  assert.deepEqual(await allHeard(one.io.of('/'), [alice, bob]), [[1, 2, 3].map(n => ['lost', n]), []]);
  await one.leave();
  assert.match(one.logs.lines.join('\n'), /^ERROR .*, which other servers miss, and \d+ more in the last minute: /m);
  assert.equal(one.logs.lines.filter(line => line.includes('MongoNetworkError')).length, 0);
});

async function start(
  t: TestContext,
  folder: string,
): Promise<AdapterServer & { readonly logs: Logs; readonly backplane: NonNullable<ReturnType<typeof createBackplane>> }> {
  const logs = new Logs();
  const settings = readConfig({ io: { adapter: { name: 'mongo', url: 'mongodb://fake', database: 'io' } } }, 1, () => {}).adapter;
  const backplane = createBackplane(settings, { logger: logs, baseDir: folder, hub: undefined });
  if (!backplane) throw new Error('no adapter is asked for');
  const create = createAdapterFactory({ init: {}, adapter: settings }, { backplane, deprecations: new Deprecations(logs), logger: logs });
  const adapter = create as unknown as NonNullable<ServerOptions['adapter']>; // typed as a class only
  const server = await startServer(t, { adapter }, () => void backplane.close());
  await backplane.ready();
  return { ...server, logs, backplane };
}
