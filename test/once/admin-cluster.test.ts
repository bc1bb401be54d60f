/** The admin page with several workers: whichever gets a request, all are shown, and reached. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { act, stateOf } from '../support/admin';
import { startCluster } from '../support/cluster';
import { connect, next } from '../support/client';
import { startRedis } from '../support/redis';
import { until } from '../support/until';

const FILES = {
  'config/config.default.js': `exports.io = { admin: { allow: () => true } };`,
  'app/router.js': `module.exports = app => {
    app.io.of('/chat').route('who', async ctx => { ctx.socket.join('lobby'); return process.pid; });
  };`,
};

test('with two workers, the page shows the clients of both, their events, and reaches each of them', { timeout: 120_000 }, async t => {
  const { url } = await startCluster(t, FILES, { workers: 2 });
  const clients = [];
  const pids = new Set<unknown>();
  while (pids.size < 2) {
    const client = await connect(t, `${url}/chat`);
    clients.push(client);
    pids.add(await client.emitWithAck('who'));
  }
  const state = await stateOf(url, { namespace: '/chat' });
  assert.equal(state.problem, undefined);
  assert.equal(state.processes.length, 2);
  assert.deepEqual(state.namespaces.entries[0], ['/chat', clients.length]);
  assert.deepEqual(state.rooms.entries, [['lobby', clients.length]]);
  assert.equal(state.sockets.count, clients.length);
  assert.equal(new Set(state.sockets.entries.map(socket => socket.process)).size, 2);

  for (const client of clients) {
    const query = { namespace: '/chat', socket: String(client.id) };
    await stateOf(url, query);
    await client.emitWithAck('who');
    const { shown } = await stateOf(url, query);
    assert.deepEqual(
      shown?.events.map(({ event, outcome }) => [event, outcome]),
      [['who', 'OK']],
    );
    const heard = next(client, 'hi');
    await act(url, { kind: 'emit', namespace: '/chat', socket: client.id, event: 'hi', args: [1] });
    assert.deepEqual(await heard, [1]);
  }
  const all = clients.map(client => next(client, 'bye'));
  await act(url, { kind: 'emit', namespace: '/chat', room: 'lobby', event: 'bye', args: [] });
  await Promise.all(all);
  const gone = clients.map(client => next(client, 'disconnect'));
  for (const { id } of clients) await act(url, { kind: 'disconnect', namespace: '/chat', socket: id });
  await Promise.all(gone);
  await until(t, async () => (await stateOf(url, { namespace: '/chat' })).sockets.count === 0);
});

test(
  'over Redis, the page shows the clients of two machines, and the agent, which counts as a server, does not hold it up',
  { timeout: 120_000 },
  async t => {
    const { host, port } = await startRedis(t);
    const files = {
      ...FILES,
      'agent.js': `module.exports = agent => { agent.ready(() => agent.io.emit('up')); };`,
      'config/config.default.js': `exports.io = { admin: { allow: () => true }, redis: { host: '${host}', port: ${port} } };`,
    };
    const machines = await Promise.all([startCluster(t, files, { workers: 1 }), startCluster(t, files, { workers: 1 })]);
    const clients = await Promise.all(machines.map(async ({ url }) => connect(t, `${url}/chat`)));
    const [{ url }] = machines;
    const state = await stateOf(url, { namespace: '/chat' });
    assert.equal(state.problem, undefined);
    assert.deepEqual([state.processes.length, state.sockets.count], [2, 2]);
    const gone = clients.map(client => next(client, 'disconnect'));
    for (const { id } of clients) await act(url, { kind: 'disconnect', namespace: '/chat', socket: id });
    await Promise.all(gone);
  },
);
