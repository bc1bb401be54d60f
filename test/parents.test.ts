/** Namespaces that are made on demand: by a function or a regular expression. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Server } from 'egg-socket.io';
import type { Namespace, Socket } from 'socket.io';
import { type Files, type RunningApp, startApp } from './support/app';
import { connect, newClient, next, refusal } from './support/client';
import { startCluster } from './support/cluster';
import { RawClient } from './support/raw';
import { engineConnections, internals, nothingRemains, watchForCrashes } from './support/remains';
import { until } from './support/until';

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

type Answer = (error: unknown, isAllowed: boolean) => void;

/** A parent whose answers the test gives, and whose guard refuses those with `guard: 'no'`. */
const HELD: Files = {
  'app/router.js': `
    module.exports = app => {
      app.io
        .of((name, auth, answer) => app.emit('asked', answer))
        .use((socket, next) => app.emit('guarded', () => next(socket.handshake.auth.guard === 'no' ? new Error('no') : undefined)) || next());
    };`,
};

async function startHeld(t: TestContext, files: Files = {}): Promise<RunningApp & { ask(act: () => unknown): Promise<Answer> }> {
  watchForCrashes(t);
  const running = await startApp(t, { ...HELD, ...files });
  const ask = async (act: () => unknown): Promise<Answer> => {
    const asked = next<[Answer]>(running.app, 'asked');
    act();
    const [answer] = await asked;
    return answer;
  };
  return { ...running, ask };
}

/** The names of all namespaces, and of those for which an adapter is made from now on. */
function watchNamespaces(io: Server): { names(): string[]; adapters: string[] } {
  const adapters: string[] = [];
  const Adapter = io.adapter() as new (nsp: Namespace) => object;
  const factory = function (nsp: Namespace): object {
    adapters.push(nsp.name);
    return new Adapter(nsp);
  };
  Reflect.set(io, '_adapter', factory); // private; the way that is public makes all adapters anew
  return { names: () => [...io._nsps.keys()], adapters };
}

for (const protocol of [3, 4] as const) {
  test(`protocol ${protocol}: of two CONNECTs for a namespace that is not there the newer one counts, also where the older one is answered later`, async t => {
    const { url, io, ask } = await startHeld(t);
    const client = await RawClient.open(t, url, { protocol });
    for (const [name, isAllowed] of [
      ['/yes', true],
      ['/no', false],
    ] as const) {
      const first = await ask(() => client.send(`40${name},`));
      const second = await ask(() => client.send(`40${name},`));
      second(null, true);
      await client.frame(new RegExp(`^40${name},?`));
      first(null, isAllowed);
      await nextTurn();
      io.of(name).emit('news');
      await client.frame(new RegExp(`^42${name},`));
      assert.equal(client.frames.filter(frame => frame.includes(name)).length, 2, client.frames.join(' '));
      assert.equal(io.of(name).sockets.size, 1);
    }
    client.vanish();
    await nothingRemains(io);
  });
}

test('a CONNECT that finds the namespace made by the app takes the place of an older one that did not', async t => {
  const { url, io, ask } = await startHeld(t);
  const client = await RawClient.open(t, url);
  const first = await ask(() => client.send('40/a,'));
  io.of('/a').emit('nobody is there');
  const second = await ask(() => client.send('40/a,'));
  second(null, true);
  await client.frame(/^40\/a,/);
  first(null, true);
  await nextTurn();
  io.of('/a').emit('news');
  await client.frame(/^42\/a,/);
});

test('at most 5 replaced CONNECTs for a namespace that is not there may wait for its parent; the next one closes the connection', async t => {
  const { url, io, ask } = await startHeld(t);
  const { names, adapters } = watchNamespaces(io);
  const client = await RawClient.open(t, url);
  const answers: Answer[] = [];
  for (let run = 0; run < 6; run++) answers.push(await ask(() => client.send('40/a,')));
  client.send('40/a,');
  await client.closed;
  for (const answer of answers) answer(null, true);
  await nothingRemains(io);
  assert.deepEqual([names(), adapters], [['/'], []]);
});

test('the function of a parent that does not answer is named in the log, once a minute for all names that clients make up', async t => {
  const { url, io, ask, logged, logs } = await startHeld(t);
  internals(io).runtime.arrivals.slow.ms = 50;
  const client = await RawClient.open(t, url);
  const answers = [];
  for (const name of ['/a', '/b', '/c']) answers.push(await ask(() => client.send(`40${name},`)));
  const waits = 'the function of a parent namespace has not answered after 0.05 s, and the client is waiting';
  await logged(new RegExp(`^WARN .*${waits}, namespace made on demand, socket \\S+: call its third argument$`));
  assert.equal(logs.filter(line => line.includes(waits)).length, 1);
  client.vanish();
  for (const answer of answers) answer(null, false);
  await nothingRemains(io);
});

test('names that nobody may connect to leave nothing, and have no adapter', async t => {
  watchForCrashes(t);
  const { url, io } = await startApp(t, {
    'app/router.js': `module.exports = app => {
      app.io.of(/^\\/room-\\d$/);
      app.io.of((name, auth, answer) => {
        if (name.startsWith('/bug')) throw new TypeError('a bug of mine');
        setImmediate(answer, null, false);
      });
    };`,
  });
  const { names, adapters } = watchNamespaces(io);
  const client = await RawClient.open(t, url);
  for (const name of ['/a', '/bug', '/__proto__']) {
    for (let count = 0; count < 20; count++) client.send(`40${name}-${count},`);
    assert.equal(await client.frame(new RegExp(`^44${name}-19,`)), `44${name}-19,{"message":"Invalid namespace"}`);
  }
  assert.equal(internals(io).runtime.arrivals.size, 0);
  assert.deepEqual([names(), adapters], [['/'], []]);
  client.send('40/room-1,');
  await client.frame(/^40\/room-1,/);
  assert.deepEqual([names(), adapters], [['/', '/room-1'], ['/room-1']]);
  client.vanish();
  await nothingRemains(io);
});

test('a client that goes while a parent is asked leaves nothing, whatever the answer', async t => {
  const { url, io, ask } = await startHeld(t);
  const { names, adapters } = watchNamespaces(io);
  const client = await RawClient.open(t, url);
  const answers = [await ask(() => client.send('40/a,')), await ask(() => client.send('40/b,'))];
  const [connection] = engineConnections(io);
  assert.ok(connection);
  const gone = next(connection, 'close');
  client.vanish();
  await gone;
  answers.forEach((answer, index) => answer(null, index === 0));
  await nothingRemains(io);
  assert.deepEqual([names(), adapters], [['/'], []]);
});

for (const isAllowedFirst of [true, false]) {
  test(`of two clients that ask for one name at once, each has its own answer: ${isAllowedFirst ? 'yes, then no' : 'no, then yes'}`, async t => {
    const { url, io, ask } = await startHeld(t);
    const { names, adapters } = watchNamespaces(io);
    const clients = [await RawClient.open(t, url), await RawClient.open(t, url), await RawClient.open(t, url)] as const;
    const [one, two, three] = clients;
    const answers = [];
    for (const client of clients) answers.push(await ask(() => client.send('40/a,')));
    answers[0]?.(null, isAllowedFirst);
    await one.frame(/^4[04]\/a,/);
    answers[1]?.(null, !isAllowedFirst);
    await two.frame(/^4[04]\/a,/);
    answers[2]?.(null, true);
    await three.frame(/^40\/a,/);
    const [admitted, refused] = isAllowedFirst ? [one, two] : [two, one];
    assert.equal(await refused.frame(/^44/), '44/a,{"message":"Invalid namespace"}');
    io.of('/a').emit('news');
    await Promise.all([admitted.frame(/^42\/a,/), three.frame(/^42\/a,/)]);
    assert.deepEqual([names(), adapters], [['/', '/a'], ['/a']]);
    for (const client of clients) client.vanish();
    await nothingRemains(io);
  });
}

test('a client that waits for a parent gets into the namespace that the app has made meanwhile', async t => {
  const { url, io, ask } = await startHeld(t);
  const client = await RawClient.open(t, url);
  const answer = await ask(() => client.send('40/a,'));
  io.of('/a').on('connection', (socket: Socket) => socket.emit('own'));
  answer(null, true);
  await client.frame(/^42\/a,\["own"\]/);
  assert.equal(io.of('/a').sockets.size, 1);
});

test('a closing app makes no namespace for a client that waited for a parent, and tells it nothing', async t => {
  const { url, io, ask, close } = await startHeld(t);
  const { names, adapters } = watchNamespaces(io);
  const client = await RawClient.open(t, url);
  const answers = [await ask(() => client.send('40/a,')), await ask(() => client.send('40/b,'))];
  const closing = close();
  await until(t, () => internals(io).runtime.isRetiring);
  answers.forEach((answer, index) => answer(null, index === 0));
  await Promise.all([closing, client.closed]);
  assert.deepEqual([names(), adapters], [['/'], []]);
  assert.deepEqual(
    client.frames.filter(frame => frame.startsWith('4')),
    [],
  );
});

test('with cleanupEmptyChildNamespaces a namespace stays for a client that is on its way into it while another one is refused', async t => {
  const { url, app, io, ask } = await startHeld(t, {
    'config/config.default.js': `exports.io = { init: { cleanupEmptyChildNamespaces: true } };`,
  });
  const letGo: (() => void)[] = [];
  app.on('guarded', go => letGo.push(go as () => void));
  const member = await RawClient.open(t, url);
  const stranger = await RawClient.open(t, url);
  for (const [client, auth] of [
    [member, '{}'],
    [stranger, '{"guard":"no"}'],
  ] as const) {
    const answer = await ask(() => client.send(`40/a,${auth}`));
    const guarded = next(app, 'guarded');
    answer(null, true);
    await guarded;
  }
  letGo[1]?.();
  await stranger.frame(/^44\/a,/);
  letGo[0]?.();
  await member.frame(/^40\/a,/);
  io.of('/a').emit('news');
  await member.frame(/^42\/a,/);
  member.vanish();
  stranger.vanish();
  await nothingRemains(io);
  assert.deepEqual([...io._nsps.keys()], ['/']);
});

test('with cleanupEmptyChildNamespaces a namespace stays for a client whose session is being read while the last other one leaves', async t => {
  const { url, io } = await startApp(t, {
    'app/router.js': `module.exports = app => app.io.of(/^\\/a$/);`,
    'config/config.default.js': `
      const { SessionAwareAdapter } = require('socket.io-adapter');
      class SlowAdapter extends SessionAwareAdapter {
        restoreSession() {
          return new Promise(resolve => process.emit('restoring', resolve));
        }
      }
      exports.io = { init: { adapter: SlowAdapter, cleanupEmptyChildNamespaces: true, connectionStateRecovery: {} } };`,
  });
  for (const goes of [false, true]) {
    const member = await RawClient.open(t, url);
    member.send('40/a,');
    await member.frame(/^40\/a,/);
    const left = next([...io.of('/a').sockets.values()][0] as Socket, 'disconnect'); // the only one
    const client = await RawClient.open(t, url);
    const restoring = next<[() => void]>(process, 'restoring');
    client.send('40/a,{"pid":"p","offset":"o"}');
    const [restored] = await restoring;
    member.send('41/a,');
    await left;
    if (goes) {
      const closed = new Promise<void>(resolve => engineConnections(io)[1]?.once('close', () => resolve()));
      client.vanish();
      await closed;
    }
    restored();
    if (!goes) {
      await client.frame(/^40\/a,/);
      io.of('/a').emit('news');
      await client.frame(/^42\/a,/);
      client.vanish();
    }
    member.vanish();
    await nothingRemains(io);
    assert.deepEqual([...io._nsps.keys()], ['/']);
  }
});

test('with cleanupEmptyChildNamespaces a namespace goes with a returning client that is refused, or leaves before it is connected', async t => {
  const { url, app, io } = await startApp(t, {
    'app/router.js': `module.exports = app => app.io.of(/^\\/a$/).use((socket, next) => app.emit('guarded', next));`,
    'config/config.default.js': `
      const { SessionAwareAdapter } = require('socket.io-adapter');
      class FullAdapter extends SessionAwareAdapter {
        async restoreSession(pid) {
          return { sid: 'former', pid, rooms: ['former'], data: {}, missedPackets: [] };
        }
      }
      exports.io = { init: { adapter: FullAdapter, cleanupEmptyChildNamespaces: true, connectionStateRecovery: {} } };`,
  });
  for (const isRefused of [true, false]) {
    const client = await RawClient.open(t, url);
    const guarded = next<[(error?: Error) => void]>(app, 'guarded');
    client.send('40/a,{"pid":"p","offset":"o"}');
    const [goOn] = await guarded;
    assert.deepEqual([...io._nsps.keys()], ['/', '/a']);
    if (isRefused) {
      goOn(new Error('no'));
      assert.equal(await client.frame(/^44\/a,/), '44/a,{"message":"no"}');
    }
    client.vanish();
    await nothingRemains(io);
    assert.deepEqual([...io._nsps.keys()], ['/']);
    goOn();
  }
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
        app.io.of((name, auth, answer) => answer(null, name.startsWith('/room-')))
          .use((socket, next) => next(socket.handshake.auth.key ? undefined : new Error('no key')))
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
