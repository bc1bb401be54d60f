/** Namespaces that are made on demand: by a function or a regular expression. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import type { Socket } from 'socket.io';
import { type Files, type RunningApp, startApp } from './support/app';
import { connect, newClient, next, refusal } from './support/client';
import { startCluster } from './support/cluster';
import { nothingRemains, watchForCrashes } from './support/remains';

/** `/room-<n>` is for members, whom a guard asks for their key; `/team-<n>` for all with a key. What happens is told to the app. */
const FILES: Files = {
  'app/router.js': `
    module.exports = app => {
      const guard = who => (socket, next) => {
        app.emit('guard', who);
        next(socket.handshake.auth.key ? undefined : new Error('no key'));
      };
      app.io
        .of((name, auth, answer) => {
          app.emit('asked', name);
          answer(null, name.startsWith('/room-') && auth.member === true);
        })
        .use(guard('members'))
        .on('connection', socket => socket.emit('welcome', 'member'));
      app.io
        .of((name, auth, answer) => setImmediate(answer, null, name.startsWith('/room-') && auth.guest === true))
        .use(guard('guests'))
        .on('connection', socket => socket.emit('welcome', 'guest'));
      app.io.of(/^\\/team-\\d$/).use(guard('team')).on('connection', socket => socket.emit('welcome', 'team'));
      app.io.of('/room-static');
    };`,
};

async function start(t: TestContext): Promise<RunningApp & { events: string[] }> {
  watchForCrashes(t);
  const running = await startApp(t, FILES);
  const events: string[] = [];
  for (const event of ['asked', 'guard']) running.app.on(event, what => events.push(`${event} ${String(what)}`));
  return { ...running, events };
}

const MAKERS: Record<string, (t: TestContext, running: RunningApp, name: string) => unknown> = {
  nobody: () => {},
  'the server, which has emitted to it': (_t, { io }, name) => io.of(name).emit('news'),
  'an earlier client': async (t, { url }, name) => connect(t, url + name, { auth: { key: 'k', member: true } }),
};

for (const [maker, make] of Object.entries(MAKERS)) {
  test(`the parents are asked for each client of a namespace that has been made by ${maker}, and the guard of the one that says yes runs`, async t => {
    const running = await start(t);
    const { url, io, events } = running;
    await make(t, running, '/room-1');
    const outcome = async (auth: Record<string, unknown>): Promise<unknown> => {
      events.length = 0;
      const client = newClient(t, `${url}/room-1`, { auth });
      const welcome = next(client, 'welcome');
      const result = await Promise.race([welcome, refusal(client).catch(() => welcome)]);
      client.disconnect();
      return [result instanceof Error ? result.message : result, [...events]];
    };
    const asked = 'asked /room-1';
    assert.deepEqual(await outcome({}), ['Invalid namespace', [asked]]);
    assert.deepEqual(await outcome({ key: 'k' }), ['Invalid namespace', [asked]]);
    assert.deepEqual(await outcome({ member: true }), ['no key', [asked, 'guard members']]);
    assert.deepEqual(await outcome({ member: true, key: 'k' }), [['member'], [asked, 'guard members']]);
    assert.deepEqual(await outcome({ guest: true }), ['no key', [asked, 'guard guests']]);
    assert.deepEqual(await outcome({ guest: true, key: 'k' }), [['guest'], [asked, 'guard guests']]);
    assert.deepEqual(await outcome({ member: true, guest: true, key: 'k' }), [['member'], [asked, 'guard members']]);
    if (maker !== 'an earlier client') await nothingRemains(io);
  });
}

test('a namespace of a regular expression that the server has named first has the guard and the listeners of its parent, once', async t => {
  const { url, io, events } = await start(t);
  io.of('/team-1').emit('news');
  assert.equal((await refusal(newClient(t, `${url}/team-1`))).message, 'no key');
  events.length = 0;
  const client = newClient(t, `${url}/team-1`, { auth: { key: 'k' } });
  const heard: unknown[] = [];
  client.on('welcome', what => heard.push(what));
  await next(client, 'welcome');
  io.of('/team-1').emit('last');
  await next(client, 'last');
  assert.deepEqual([heard, events], [['team'], ['asked /team-1', 'guard team']]);
});

test('what the app gives to a child of its own runs after that of the parent', async t => {
  const { url, io, events } = await start(t);
  const seen: unknown[] = [];
  io.of('/room-1')
    .use((socket, go) => {
      seen.push([...events], socket.nsp.name);
      go();
    })
    .on('connection', (socket: Socket) => socket.emit('own'));
  const client = newClient(t, `${url}/room-1`, { auth: { key: 'k', member: true } });
  await Promise.all([next(client, 'welcome'), next(client, 'own')]);
  assert.deepEqual(seen, [['asked /room-1', 'guard members'], '/room-1']);
});

test('what is emitted to a parent reaches clients of a child that the server has made', async t => {
  const { url, io } = await start(t);
  const parent = io.of(/^\/late-\d$/);
  io.of('/late-1').emit('before');
  io.of('/room-1').emit('before');
  const client = await connect(t, `${url}/late-1`);
  const heard = next(client, 'all');
  parent.emit('all', 1);
  assert.deepEqual(await heard, [1]);
});

test('a namespace that the app has named while it started is open to all, and nobody is asked', async t => {
  const { url, events } = await start(t);
  await connect(t, `${url}/room-static`);
  assert.deepEqual(events, []);
});

test('a namespace that is named later is open where there are no parents', async t => {
  const { url, io } = await startApp(t, {});
  io.of('/later').on('connection', socket => socket.emit('hello'));
  await next(newClient(t, `${url}/later`), 'hello');
});

test('clients of protocol 3 are refused alike, whether the namespace is there or not', async t => {
  const { url, io } = await start(t);
  const told = async (): Promise<unknown[]> => next(newClient(t, `${url}/room-1`, {}, 2), 'error');
  const absent = await told();
  io.of('/room-1').emit('news');
  assert.deepEqual([await told(), absent], [[{ message: 'Invalid namespace' }], [{ message: 'Invalid namespace' }]]);
});

test('the function of a parent that fails refuses the client, is logged, and harms nobody', async t => {
  watchForCrashes(t);
  const { url, io, logged } = await startApp(t, {});
  // oxlint-disable-next-line typescript/no-misused-promises -- an async function, as users write them
  io.of(async () => {
    throw new TypeError('a bug of mine');
  });
  assert.equal((await refusal(newClient(t, `${url}/a`))).message, 'Invalid namespace');
  await logged(/^ERROR .*function of a parent namespace failed for "\/a", .*TypeError: a bug of mine/);
  io.of('/b').emit('news');
  await refusal(newClient(t, `${url}/b`));
  await logged(/^ERROR .*connection refused, namespace \/b, socket \S+: TypeError: a bug of mine/);
  await connect(t, url);
});

test('in every worker a parent is asked, also where the server itself has named the namespace there', async t => {
  const cluster = await startCluster(
    t,
    {
      'app.js': `module.exports = class {
        constructor(app) { this.app = app; }
        async serverDidReady() { this.app.io.of('/room-1').emit('hello'); }
      };`,
      'app/router.js': `module.exports = app => {
        app.io.of(/^\\/room-\\d$/).use((socket, next) => next(socket.handshake.auth.key ? undefined : new Error('no key')))
          .on('connection', socket => socket.emit('worker', process.pid));
      };`,
    },
    { workers: 2 },
  );
  const workers = new Set<unknown>();
  for (let round = 0; round < 2; round++) {
    const stranger = newClient(t, `${cluster.url}/room-1`);
    assert.equal((await refusal(stranger)).message, 'no key');
    // workers take turns: an odd number of clients a round, so that both have members and strangers
    for (let members = 0; members < 2; members++) {
      const [worker] = await next(newClient(t, `${cluster.url}/room-1`, { auth: { key: 1 } }), 'worker');
      workers.add(worker);
    }
  }
  assert.equal(workers.size, 2);
});
