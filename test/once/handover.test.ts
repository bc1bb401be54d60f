/** A server that ends hands over its clients to another one: they come back to any, and lose nothing. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Redis } from 'ioredis';
import type { Socket } from 'socket.io';
import { type AdapterServer, allKnown } from '../support/adapters';
import { ROOT } from '../support/app';
import { newClient, next } from '../support/client';
import { debugLines } from '../support/debug-log';
import { hubPath, startHub, startWorker } from '../support/hub';
import { join } from '../support/joined';
import { Logs } from '../support/logs';
import { AgentIo, keepHandovers, MemoryHandovers, readConfig } from '../support/parts';
import { newPostgres } from '../support/postgres';
import { startRedis } from '../support/redis';
import { until } from '../support/until';
import { answersTo, flush, hears, lose, vanish, visit } from '../support/visit';

/** Of a client that nobody knows. */
const STRANGER = { auth: { pid: 'x'.repeat(20), offset: '' }, heard: [] };
const INIT = { connectionStateRecovery: { skipMiddlewares: false } };

interface Ending extends AdapterServer {
  /** Hands over what it has, and closes. */
  end(): Promise<void>;
}

type Start = () => Promise<Ending>;

const SETUPS: Record<string, (t: TestContext) => Promise<Start>> = {
  async hub(t) {
    const [path, kept] = [await hubPath(t), new MemoryHandovers()];
    keepHandovers(await startHub(t, path), kept);
    t.after(() => kept.close());
    let number = 0;
    return async () => {
      const worker = await startWorker(t, path, `worker ${++number}`, INIT);
      return ending(worker, async () => worker.link.departure.leave());
    };
  },
  async redis(t) {
    const { port } = await startRedis(t);
    return async () => overBackend(t, { redis: { port } });
  },
  async postgres(t) {
    const server = await newPostgres(t);
    await server.start();
    return async () => overBackend(t, { adapter: { name: 'postgres', connection: server.url } });
  },
};

async function overBackend(t: TestContext, io: object): Promise<Ending> {
  const server = await join(t, { init: INIT, ...io });
  await server.ready();
  return ending(server, async () => server.backplane.departure.leave());
}

function ending(server: AdapterServer, leave: () => Promise<void>): Ending {
  return {
    ...server,
    async end() {
      await leave();
      await server.leave();
    },
  };
}

for (const [name, setUp] of Object.entries(SETUPS)) {
  test(`handover over ${name}`, async t => {
    const start = await setUp(t);
    const [one, two, three] = [await start(), await start(), await start()];

    await t.test('what others emit while a server hands over arrives once, in order, and so does what comes after', async st => {
      const lines = debugLines(st, 'egg-socket.io:handover');
      const visits = [await visit(st, one), await visit(st, one), await visit(st, one), await visit(st, one)];
      let number = 0;
      const say = (): unknown => three.io.emit('said', ++number);
      say();
      for (const visitor of visits) {
        await hears(st, visitor, 1);
        await lose(visitor);
      }
      const closing = new AbortController();
      const talking = (async () => {
        for (let turn = 0; turn < 300 && !closing.signal.aborted; turn++, await nextTurn()) say();
      })();
      await one.end();
      closing.abort();
      await talking;
      say();
      await allKnown([two, three]);
      await flush(three.io);
      for (const [index, former] of visits.entries()) {
        const back = await visit(st, index % 2 ? two : three, former);
        say();
        await hears(st, back, number);
        assert.deepEqual([back.socket.recovered, back.heard], [true, Array.from({ length: number }, (_, index) => index + 1)]);
        back.client.disconnect();
      }
      for (const line of [/: process \S+ accepts the sessions$/, /: sessions that arrived: 4$/, /: sessions that are handed over: 4$/])
        assert.ok(
          lines.some(one => line.test(one)),
          `${line}: ${lines.join('\n')}`,
        );
    });

    await t.test('a client that is away while two servers end one after the other loses nothing of its rooms', async st => {
      const four = await start();
      const entered = await visit(st, two);
      const { socket } = entered;
      await socket.join(['lobby', 'left']);
      three.io.to('left').emit('said', 1);
      await hears(st, entered, 1);
      const first = vanish(entered);
      three.io.to('left').emit('said', 2);
      await flush(three.io);
      await socket.leave('left');
      three.io.to('left').emit('said', 'not for it');
      socket.data = { name: 'Ann', bytes: Buffer.from('ok') };
      await lose(first);
      three.io.to('lobby').emit('said', 3);
      await flush(three.io);
      await two.end();
      await allKnown([three, four]);
      three.io.to('lobby').emit('said', 4);
      three.io.to('left').emit('said', 'not for it');
      await flush(three.io);
      await three.end(); // it may be the heir
      four.io.to('lobby').emit('said', 5);
      const back = await visit(st, four, first);
      four.io.to('lobby').emit('said', 6);
      await hears(st, back, 6);
      assert.deepEqual([back.socket.recovered, back.heard, back.socket.id], [true, [1, 2, 3, 4, 5, 6], socket.id]);
      assert.deepEqual([back.socket.data, back.socket.rooms], [{ name: 'Ann', bytes: Buffer.from('ok') }, new Set([socket.id, 'lobby'])]);
    });
  });
}

test('what the last server leaves is for one that starts later, unless another one may have emitted in between', async t => {
  const { port } = await startRedis(t);
  const redis = new Redis({ port });
  t.after(() => redis.disconnect());
  const start = async (): Promise<Ending> => overBackend(t, { redis: { port } });
  const KEY = 'socket.io:handover:last /';
  const one = await start();
  const ann = await visit(t, one);
  one.io.emit('said', 1);
  await hears(t, ann, 1);
  await lose(ann);
  one.io.emit('said', 2);
  await one.end();
  const text = await redis.getBuffer(KEY);
  assert.ok(text && (await redis.pttl(KEY)) <= 130_000, 'for as long as a client may be away');

  const two = await start();
  assert.ok(!(await redis.get(KEY)));
  const back = await visit(t, two, ann);
  await hears(t, back, 2);
  assert.deepEqual([back.socket.recovered, back.heard], [true, [1, 2]]);
  back.client.disconnect();

  await redis.set(KEY, text); // as if there had been an outage
  await allKnown([two, await start()]);
  const again = await visit(t, two, ann);
  assert.equal(again.socket.recovered, true, 'nobody has emitted');
  const left = next(again.socket, 'disconnect');
  again.client.disconnect();
  await left;
  await redis.set(KEY, text);
  two.io.emit('said', 3);
  const three = await start();
  assert.ok(!(await redis.get(KEY)));
  assert.equal((await visit(t, three, ann)).socket.recovered, false);
});

test('what one server hands over to the next, and that one leaves at once, is complete', async t => {
  const { port } = await startRedis(t);
  const start = async (): Promise<Ending> => overBackend(t, { redis: { port } });
  const [one, two] = [await start(), await start()];
  await allKnown([one, two]);
  const ann = await visit(t, one);
  one.io.emit('said', 1);
  await hears(t, ann, 1);
  await lose(ann);
  await one.end();
  await two.end();
  const back = await visit(t, await start(), ann);
  assert.equal(back.socket.recovered, true);
});

test('what is handed on from worker to worker stays as small as it was: a thousand clients and events lose nothing, within the limits', async t => {
  const [path, kept] = [await hubPath(t), new MemoryHandovers()];
  keepHandovers(await startHub(t, path), kept);
  t.after(() => kept.close());
  const start = async (name: string) => startWorker(t, path, name, INIT);
  let worker = await start('the first');
  const ann = await visit(t, worker);
  await ann.socket.join('lobby');
  await lose(ann);
  const { adapter } = worker.io.of('/');
  for (let number = 1; number < 1000; number++) {
    const sid = `client ${number}`;
    adapter.persistSession({ sid, pid: String(number).padStart(20, 'p'), rooms: [sid, 'lobby'], data: {} }); // as Socket.IO does for each
  }
  let count = 0;
  const say = (times: number): void => {
    for (const end = count + times; count < end;) (++count % 2 ? worker.io : worker.io.to('lobby')).emit('said', count);
  };
  say(1000);
  for (const name of ['the second', 'the third', 'the fourth']) {
    const heir = await start(name);
    await allKnown([worker, heir]);
    await worker.link.departure.leave();
    await worker.leave();
    worker = heir;
    say(10);
  }
  const back = await visit(t, worker, ann);
  await hears(t, back, count);
  assert.deepEqual([back.socket.recovered, back.heard], [true, Array.from({ length: count }, (_, index) => index + 1)]);
});

test('a server that has nothing left to hand over takes over nothing from others that end at the same time', async t => {
  const { port } = await startRedis(t);
  const start = async () => join(t, { init: INIT, redis: { port } });
  const servers = [await start(), await start(), await start()] as const;
  for (const server of servers) await server.ready();
  await allKnown(servers);
  const [one, two, three] = servers;
  const ann = await visit(t, one);
  one.io.emit('said', 1);
  await hears(t, ann, 1);
  await lose(ann);
  for (const { backplane } of [two, three]) await backplane.departure.leave(); // they have not closed yet
  const left = one.backplane.departure.leave();
  for (const { leave } of [two, three]) await leave();
  await left;
  await one.leave();
  const next = await start();
  await next.ready();
  const back = await visit(t, next, ann);
  assert.deepEqual([back.socket.recovered, back.socket.id], [true, ann.socket.id]);
});

test('servers that go one after the other, just when the last one asks them, are not waited for', async t => {
  const { port } = await startRedis(t);
  const start = async () => join(t, { init: INIT, redis: { port } });
  const servers = [await start(), await start(), await start(), await start(), await start()] as const;
  for (const server of servers) await server.ready();
  await allKnown(servers);
  const [one, ...others] = servers;
  const ann = await visit(t, one);
  await lose(ann);
  for (const { backplane } of others) await backplane.departure.leave();
  for (const server of others) {
    onQuestion(server, answer => {
      if (others[0] !== server) return answer();
      others.shift();
      void server.leave();
    });
  }
  await one.backplane.departure.leave();
  assert.deepEqual([others, one.logs.lines], [[], []]);
  await one.leave();
  const last = await start();
  await last.ready();
  assert.equal((await visit(t, last, ann)).socket.recovered, true);
});

test('what does not answer is asked for 3 s, and the clients of a server that ends are new ones, with a line of log', async t => {
  const { port } = await startRedis(t);
  const one = await join(t, { init: INIT, redis: { port } });
  await one.ready();
  await lose(await visit(t, one));
  const mute = new Redis({ port });
  t.after(() => mute.disconnect());
  let questions = 0;
  mute.on('message', (_channel, text: string) => {
    if (text.includes('leaving')) questions++;
  });
  await mute.subscribe('socket.io-request#/#'); // so it counts
  await one.backplane.departure.leave();
  assert.ok(questions === 1 || questions === 2, `${questions} times, which takes 1.5 s each`);
  assert.match(one.logs.lines.join('\n'), /^ERROR .*IO_RECOVERY_FAILED: namespace \/: .*no other process has taken them in time/s);
});

test('a server that has nothing to hand over asks nobody, and one whose backend is down asks once', async t => {
  const redis = await startRedis(t);
  const start = async () => join(t, { init: INIT, redis: { port: redis.port } });
  const [one, two] = [await start(), await start()];
  for (const server of [one, two]) await server.ready();
  const asked = whoAsks([one, two]);
  await one.backplane.departure.leave();
  await lose(await visit(t, two));
  await redis.kill();
  await until(t, () => two.backplane.isDown);
  await two.backplane.departure.leave();
  assert.deepEqual(asked, [1]);
  assert.match(two.logs.lines.join('\n'), /IO_RECOVERY_FAILED: namespace \/: .*IO_REDIS_DOWN/s);
});

test('the last worker of a machine asks once whether there is another one, and ends', async t => {
  const path = await hubPath(t);
  keepHandovers(await startHub(t, path), new MemoryHandovers());
  const worker = await startWorker(t, path, '1', INIT);
  const asked = whoAsks([worker]);
  await lose(await visit(t, worker));
  await worker.link.departure.leave();
  assert.deepEqual([asked, worker.logs.lines], [[0], []]);
});

test('an heir that does not take what it has accepted keeps nothing from another one', async t => {
  const { port } = await startRedis(t);
  const start = async () => join(t, { init: INIT, redis: { port } });
  const [one, two] = [await start(), await start()];
  for (const server of [one, two]) await server.ready();
  await allKnown([one, two]);
  const ann = await visit(t, one);
  one.io.emit('said', 1);
  await hears(t, ann, 1);
  await lose(ann);
  two.io.emit('said', 2);
  await flush(two.io);
  onQuestion(two, (answer, { kind }) => {
    if (kind !== 'left') return answer();
    two.io.emit('said', 3);
    void two.leave(); // just now
  });
  await one.backplane.departure.leave();
  await one.leave();
  const three = await start();
  await three.ready();
  const back = await visit(t, three, ann);
  await hears(t, back, 3);
  assert.deepEqual([back.socket.recovered, back.heard, one.logs.lines], [true, [1, 2, 3], []]);
});

/** Returns a list, to which the number of a server is added each time that it asks who takes over its clients. */
function whoAsks(servers: readonly AdapterServer[]): number[] {
  const asked: number[] = [];
  for (const [number, server] of servers.entries()) {
    const { adapter } = server.io.of('/');
    const ask = adapter.serverSideEmit.bind(adapter);
    adapter.serverSideEmit = args => {
      const [, question] = args as [string, { readonly kind?: unknown }?];
      if (question?.kind === 'leaving') asked.push(number);
      ask(args);
    };
  }
  return asked;
}

/** Comes before what a server does with the questions of others that end. @param receive gets what the server itself would do */
function onQuestion({ io }: AdapterServer, receive: (answer: () => void, question: { readonly kind?: unknown }) => void): void {
  const nsp = io.of('/');
  const { _onServerSideEmit: onEvent } = nsp;
  Object.assign(nsp, {
    _onServerSideEmit(args: [string, { readonly kind?: unknown }]) {
      receive(() => onEvent.call(nsp, args), args[1]);
    },
  });
}

test('the agent, once agent.io is used, is one more server over a backend: it takes over what others leave, and hands it on', async t => {
  const { port } = await startRedis(t);
  const io = { init: INIT, redis: { port } };
  const agent = { baseDir: ROOT, logger: new Logs() } as unknown as ConstructorParameters<typeof AgentIo>[0]; // all that it reads
  const agentIo = new AgentIo(
    agent,
    readConfig({ io }, 1, () => {}),
    { hub: undefined },
  );
  const inAgent = { io: agentIo.server, signal: t.signal };
  const start = async (): Promise<Ending> => {
    const server = await overBackend(t, { redis: { port } });
    await allKnown([server, { ...server, ...inAgent }]);
    return server;
  };
  const one = await start();
  const answers = answersTo(one, 'find');
  const ann = await visit(t, one, STRANGER);
  assert.equal(ann.socket.recovered, false);
  assert.deepEqual(answers, [[null, [false]]], 'the agent says that it does not know it');

  agentIo.server.emit('said', 1);
  await hears(t, ann, 1);
  await lose(ann);
  await one.end();
  agentIo.server.emit('said', 2);
  const two = await start();
  const back = await visit(t, two, ann);
  await hears(t, back, 2);
  assert.deepEqual([back.socket.recovered, back.heard], [true, [1, 2]]);

  await lose(back);
  await two.end();
  agentIo.server.emit('said', 3);
  await agentIo.close();
  const again = await visit(t, await overBackend(t, { redis: { port } }), back);
  await hears(t, again, 3);
  assert.deepEqual([again.socket.recovered, again.heard], [true, [1, 2, 3]]);
});

test('what is no handover makes clients new ones, and does no harm', async t => {
  const { port } = await startRedis(t);
  const redis = new Redis({ port });
  t.after(() => redis.disconnect());
  for (const text of [
    '{',
    '[]',
    '{"bequests":[{"base":0,"gap":{"number":-1,"at":null},"log":[],"sessions":[{"pid":7}]}],"entries":[],"sent":[]}',
  ]) {
    await redis.set('socket.io:handover:last /', text);
    const server = await overBackend(t, { redis: { port } });
    const arrival = next<[Socket]>(server.io, 'connection');
    const client = newClient(t, server.url, { auth: { pid: 'a'.repeat(20), offset: '' } });
    assert.equal((await arrival)[0].recovered, false);
    client.disconnect();
    await server.leave();
  }
});

test('a client that comes back during the handover waits for it', async t => {
  const path = await hubPath(t);
  const hub = await startHub(t, path);
  const kept = new MemoryHandovers();
  let arrive = (): void => {};
  const isPut = new Promise<void>(resolve => (arrive = resolve));
  let goOn = (): void => {};
  const mayGoOn = new Promise<void>(resolve => (goOn = resolve));
  hub.answer('handovers', async asked => {
    const { name, text, ttl } = asked as { name: string; text?: string; ttl: number };
    if (text === undefined) return kept.take(name);
    arrive();
    await mayGoOn;
    return kept.put(name, text, ttl);
  });
  t.after(() => kept.close());
  const [one, two, three] = [
    await startWorker(t, path, '1', INIT),
    await startWorker(t, path, '2', INIT),
    await startWorker(t, path, '3', INIT),
  ];
  const visits = [await visit(t, one), await visit(t, one)];
  for (const visitor of visits) await lose(visitor);
  const left = one.link.departure.leave();
  await isPut;
  const returned = visits.map(async (former, index) => visit(t, [two, three][index] ?? two, former));
  await flush(two.io);
  await flush(three.io);
  goOn();
  await left;
  for (const back of await Promise.all(returned)) assert.equal(back.socket.recovered, true);
});

test('a client is found that is handed over to a server while this one is about to ask the others for it', async t => {
  const path = await hubPath(t);
  const kept = new MemoryHandovers();
  keepHandovers(await startHub(t, path), kept);
  t.after(() => kept.close());
  const [one, two] = [await startWorker(t, path, '1', INIT), await startWorker(t, path, '2', INIT)];
  await allKnown([one, two]);
  const visitor = await visit(t, one);
  await lose(visitor);
  const { adapter } = two.io.of('/');
  const ask = adapter.serverSideEmit.bind(adapter);
  adapter.serverSideEmit = args => {
    const [, question] = args as [string, { readonly kind?: unknown }?];
    if (question?.kind === 'find') void one.link.departure.leave().then(() => ask(args));
    else ask(args);
  };
  const back = await visit(t, two, visitor);
  assert.equal(back.socket.recovered, true);
});

test('a client whose session is handed over while its middleware runs is recovered, whoever has the session then', async t => {
  const path = await hubPath(t);
  const kept = new MemoryHandovers();
  keepHandovers(await startHub(t, path), kept);
  t.after(() => kept.close());
  const workers = await Promise.all(['1', '2', '3'].map(async name => startWorker(t, path, name, INIT)));
  await allKnown(workers);
  const [one, ...others] = workers;
  assert.ok(one);
  const visits = [await visit(t, one), await visit(t, one)];
  for (const visitor of visits) await lose(visitor);
  one.io.emit('said', 1);
  const waiting: (() => void)[] = [];
  for (const { io } of others) io.use((_socket, done) => void waiting.push(done));
  const returned = others.map(async (worker, n) => visit(t, worker, visits[n])); // one of them to the heir
  await until(t, () => waiting.length === visits.length);
  one.io.emit('said', 2);
  await one.link.departure.leave();
  for (const { io } of others) io.emit('said', 3);
  await flush(one.io);
  for (const goOn of waiting) goOn();
  for (const back of await Promise.all(returned)) {
    await hears(t, back, 4);
    assert.deepEqual([back.socket.recovered, back.heard], [true, [1, 2, 3, 3]]);
  }
});

test('whoever says without end that it is about to hand over delays clients that come back by 3 s at most', async t => {
  const path = await hubPath(t);
  keepHandovers(await startHub(t, path), new MemoryHandovers());
  const [one, two] = [await startWorker(t, path, '1', INIT), await startWorker(t, path, '2', INIT)];
  await allKnown([one, two]);
  let number = 0;
  const attack = setInterval(
    () => one.io.of('/').adapter.serverSideEmit(['$io:recovery', { kind: 'leaving', server: `~${++number}` }]),
    20,
  );
  t.after(() => clearInterval(attack));
  await until(t, () => number > 5);
  const { socket } = await visit(t, two, STRANGER);
  assert.equal(socket.recovered, false);
});

test('the reason why clients cannot be handed over is logged', async t => {
  const path = await hubPath(t);
  const hub = await startHub(t, path);
  hub.answer('handovers', async asked =>
    (asked as { text?: string }).text === undefined ? Promise.reject(new Error('not now')) : undefined,
  );
  const [one, two] = [await startWorker(t, path, '1', INIT), await startWorker(t, path, '2', INIT)];
  await allKnown([one, two]);
  await lose(await visit(t, one));
  await one.link.departure.leave();
  assert.match(one.logs.lines.join('\n'), /IO_RECOVERY_FAILED: namespace \/: the clients of this process cannot be handed over.*new ones/);
});
