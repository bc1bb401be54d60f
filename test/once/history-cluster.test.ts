/** Rooms with history in several workers, with the agent as their memory. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ask, type Client, connect, newClient, next } from '../support/client';
import { startCluster } from '../support/cluster';
import { history } from '../support/parts';
import { processesOf } from '../support/processes';
import { until } from '../support/until';

const FILES = {
  'config/config.default.js': "exports.io = { namespace: { '/': { history: { 'room:*': {} } } } };",
  'agent.js': `
    module.exports = agent => {
      agent.messenger.on('say', ([room, what]) => agent.io.to(room).emit('said', what));
    };`,
  'app/router.js': `
    module.exports = app => {
      app.io.route('worker', async () => process.pid);
      app.io.route('join', async ctx => { ctx.socket.join(ctx.args[0]); return null; });
      app.io.route('say', async ctx => { app.io.to(ctx.args[0]).emit('said', ctx.args[1]); return null; });
      app.io.route('agent says', async ctx => { app.messenger.sendToAgent('say', ctx.args.slice(0, 2)); return null; });
      app.io.route('read', async ctx => (await app.io.history(ctx.args[0]).read()).events.map(({ offset, args }) => [offset, args[0]]));
    };`,
};

/** A client of another worker than this one. */
async function clientOf(make: () => Promise<Client>, other: unknown): Promise<Client> {
  for (;;) {
    const client = await make();
    if ((await ask(client, 'worker')) !== other) return client;
    client.disconnect();
  }
}

test(
  'events from all workers and the agent are in one history; a client that returns to any worker gets them once; a new agent is a gap',
  { timeout: 60_000 },
  async t => {
    const cluster = await startCluster(t, FILES, { workers: 2 });
    const { url } = cluster;
    const one = await connect(t, url);
    const other = await clientOf(async () => connect(t, url), await ask(one, 'worker'));
    const heard: unknown[] = [];
    const anna = newClient(t, url, { autoConnect: false });
    history(anna, { onGap: room => heard.push(`gap in ${room}`) });
    anna.on('said', what => heard.push(what));
    anna.on('connect', () => anna.emit('join', 'room:1'));
    const bytes = Buffer.from('bytes');
    const arrives = async (): Promise<void> => {
      anna.connect();
      await next(anna, 'connect');
      await ask(anna, 'worker');
    };
    const read = async (client: Client): Promise<unknown[]> => (await ask(client, 'read', 'room:1')) as unknown[];
    await arrives();
    await ask(one, 'say', 'room:1', 'one');
    await ask(other, 'say', 'room:1', 'two');
    await until(t, () => heard.length === 2);
    for (let round = 0; round < 3; round++) {
      anna.disconnect();
      await ask(one, 'say', 'room:1', bytes);
      await ask(other, 'say', 'room:1', `round ${round}`);
      await arrives();
      await until(t, () => heard.length === 4 + 2 * round);
    }
    anna.disconnect();
    await ask(one, 'agent says', 'room:1', 'from the agent');
    await until(t, async () => (await read(other)).length === 9);
    assert.deepEqual(await read(one), await read(other));
    await arrives();
    await until(t, () => heard.length === 9);
    const kept = (await read(one)) as [number, unknown][];
    assert.deepEqual(
      heard,
      kept.map(([, what]) => what),
    ); // in the order of the agent
    assert.deepEqual(
      kept.map(([offset]) => offset),
      [1, 2, 3, 4, 5, 6, 7, 8, 9],
    );

    const { agent } = processesOf(cluster.master.pid ?? 0);
    process.kill(agent ?? 0, 'SIGKILL');
    await until(t, async () => Array.isArray(await read(one)) && Array.isArray(await read(other)) && (await read(one)).length === 0);
    await until(t, () => heard.at(-1) === 'gap in room:1'); // before anybody emits
    await ask(one, 'say', 'room:1', 'with a new agent');
    await until(t, () => heard.includes('with a new agent'));
    assert.deepEqual(heard.slice(9), ['gap in room:1', 'with a new agent']);
  },
);

test('what a recovered client gets by recovery and by history it hears once, in whichever worker', { timeout: 60_000 }, async t => {
  const files = {
    ...FILES,
    'config/config.default.js':
      "exports.io = { init: { connectionStateRecovery: {} }, namespace: { '/': { history: { 'room:*': {} } } } };",
  };
  const { url } = await startCluster(t, files, { workers: 2 });
  const one = await connect(t, url);
  const other = await clientOf(async () => connect(t, url), await ask(one, 'worker'));
  const people = ['with history', 'without'].map(what => {
    const client = newClient(t, url, { autoConnect: false, reconnection: true, reconnectionDelay: 10 });
    const heard: unknown[] = [];
    if (what === 'with history') history(client, { onGap: () => heard.push('gap') });
    client.on('said', number => heard.push(number));
    return { client, heard };
  });
  for (const { client } of people) {
    client.connect();
    await next(client, 'connect');
    await ask(client, 'join', 'room:1');
  }
  let count = 0;
  const say = async (): Promise<unknown> => ask(count++ % 2 === 0 ? one : other, 'say', 'room:1', count);
  await say();
  await until(t, () => people.every(({ heard }) => heard.length === 1));
  for (let round = 0; round < 3; round++) {
    const back = people.map(async ({ client }) => next(client, 'connect'));
    for (const { client } of people) client.io.engine.close();
    await say();
    await say();
    await Promise.all(back);
    assert.deepEqual(
      people.map(({ client }) => client.recovered),
      [true, true],
    );
    await say();
    await until(t, () => people.every(({ heard }) => heard.includes(count)));
  }
  await until(t, () => people.every(({ heard }) => heard.length >= count));
  for (const { client } of people) await ask(client, 'join', 'room:1'); // what was on its way has come
  const kept = (await ask(one, 'read', 'room:1')) as [number, number][];
  const [withHistory, without] = people.map(({ heard }) => heard);
  assert.deepEqual(
    withHistory,
    kept.map(([, number]) => number), // in the order of the agent
  );
  const all = Array.from({ length: count }, (_, index) => index + 1);
  for (const heard of [withHistory, without])
    assert.deepEqual(
      heard?.map(Number).toSorted((a, b) => a - b),
      all,
    );
});
