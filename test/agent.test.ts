import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import type { Files } from './support/app';
import { ask, type Client, connect, next } from './support/client';
import { type Cluster, shareCluster, startCluster } from './support/cluster';
import { processesOf } from './support/processes';
import { startProxy } from './support/proxy';
import { startRedis } from './support/redis';
import { until } from './support/until';

const FILES: Files = {
  // the agent does what a client asks for, by way of a worker and Egg's messenger
  'agent.js': `
    module.exports = agent => {
      agent.messenger.on('do', async ({ id, what, room }) => {
        let answer = 'done';
        try {
          const { io } = agent;
          if (what === 'emit') io.emit('told', 'everybody', Buffer.from([0, 255]));
          else if (what === 'room') io.to(room).except('others').emit('told', 'room');
          else if (what === 'namespace') io.of('/chat').emit('told', 'chat');
          else if (what === 'pattern') io.of({ namespace: '/room-{id}' }).emit('told', 'all rooms');
          else if (what === 'contract') io.of({ namespace: '/chat' }).emit('told', 'chat');
          else if (what === 'count') answer = (await io.fetchSockets()).length;
          else if (what === 'ask') answer = (await io.emitWithAck('asked')).sort();
          else if (what === 'say') io.serverSideEmit('said', 'hello');
          else if (what === 'disconnect') io.in(room).disconnectSockets();
        } catch (error) {
          answer = error.message;
        }
        agent.messenger.sendToApp('done', { id, answer });
      });
    };`,
  'app/io/controller/home.js': `
    exports.agent = async ctx => {
      const [what, room] = ctx.args;
      const id = ctx.socket.id + Math.random();
      return new Promise(resolve => {
        const listener = done => {
          if (done.id !== id) return;
          ctx.app.messenger.off('done', listener);
          resolve(done.answer);
        };
        ctx.app.messenger.on('done', listener);
        ctx.app.messenger.sendToAgent('do', { id, what, room });
      });
    };
    exports.join = async ctx => { await ctx.socket.join(ctx.args[0]); return process.pid; };`,
  'app/router.js': `
    module.exports = app => {
      app.io.route('agent', app.io.controller.home.agent);
      app.io.route('join', app.io.controller.home.join);
      app.io.of('/chat');
      app.io.on('said', what => app.io.local.emit('said', what));
    };`,
};

async function connectSome(t: TestContext, { url }: Cluster): Promise<[Client, ...Client[]]> {
  const first = await connect(t, url);
  return [first, ...(await Promise.all(Array.from({ length: 5 }, () => connect(t, url))))];
}

const RECOVERS = 'exports.io = { init: { connectionStateRecovery: {} } };';

const TICK = `
  let ticks = 0;
  module.exports = {
    schedule: { type: 'worker', interval: 100 },
    async task(ctx) { ctx.app.io.emit('tick', process.pid, ++ticks); },
  };`;

// what is the first that the agent does has to come first in this file, too
const one = shareCluster(FILES, async () => ({ workers: 1 }));
const oneThatRecovers = shareCluster({ ...FILES, 'config/config.default.js': RECOVERS }, async () => ({ workers: 1 }));
const two = shareCluster({ ...FILES, 'app/schedule/tick.js': TICK }, async () => ({ workers: 2 }));
const three = shareCluster(FILES, async () => ({ workers: 3 }));

for (const [workers, start] of Object.entries({ '1 worker': one, '2 workers': two })) {
  test(`the first that agent.io is used for may be a question: it waits until there is a way to ${workers}`, async t => {
    const cluster = await start();
    const client = await connect(t, cluster.url);
    client.on('asked', (acknowledge: (answer: string) => void) => acknowledge('here'));
    assert.deepEqual(await ask(client, 'agent', 'ask'), ['here']);
  });
}

for (const [workers, start] of Object.entries({ '1 worker': oneThatRecovers, '3 workers': three })) {
  test(`the first that agent.io is used for may be an event for the servers of ${workers}`, async t => {
    const cluster = await start();
    const clients = await connectSome(t, cluster);
    const told = clients.map(client => next(client, 'said'));
    assert.equal(await ask(clients[0], 'agent', 'say'), 'done');
    for (const [what] of await Promise.all(told)) assert.equal(what, 'hello'); // with recovery an offset follows
  });
}

test('a scheduled task reaches the clients of all workers, whichever of them runs it', async t => {
  const cluster = await two();
  const clients = await connectSome(t, cluster);
  const owners = await Promise.all(clients.map(async client => ask(client, 'join', 'room')));
  assert.ok(new Set(owners).size > 1);
  const heard = clients.map(() => new Set<string>());
  for (const [index, client] of clients.entries()) client.on('tick', (pid: number, tick: number) => heard[index]?.add(`${pid}, ${tick}`));
  await next(clients[0], 'tick'); // others may have heard this one before they listened
  const ticks = new Set<string>();
  while (ticks.size < 3) ticks.add((await next<[number, number]>(clients[0], 'tick')).join(', '));
  for (const [index, client] of clients.entries()) {
    while ([...ticks].some(tick => !heard[index]?.has(tick))) await next(client, 'tick');
  }
});

test('who comes back to a single worker has missed nothing of what the agent has said meanwhile', async t => {
  const cluster = await oneThatRecovers();
  const port = Number(new URL(cluster.url).port);
  const proxy = await startProxy(t, port);
  const client = await connect(t, proxy.url, { reconnection: true, reconnectionDelay: 20, reconnectionDelayMax: 50 });
  const teller = await connect(t, cluster.url);
  const heard: unknown[] = [];
  client.on('told', (what: unknown) => heard.push(what));
  await ask(client, 'join', 'room');
  const first = next(client, 'told');
  await ask(teller, 'agent', 'emit');
  await first; // it knows an offset

  proxy.cut();
  await until(t, async () => (await ask(teller, 'agent', 'count')) === 1);
  await ask(teller, 'agent', 'room', 'room');
  await ask(teller, 'agent', 'emit');
  const back = next(client, 'connect');
  proxy.lead(port);
  await back;
  assert.equal(client.recovered, true);
  while (heard.length < 3) await next(client, 'told');
  assert.deepEqual(heard, ['everybody', 'room', 'everybody']);
});

const WAYS: Record<string, (t: TestContext) => Promise<Cluster>> = {
  'one worker': one,
  'one worker with connection state recovery': oneThatRecovers,
  'three workers, by the hub': three,
  'two workers, by Redis': async t => {
    const config = `exports.io = { redis: { port: ${(await startRedis(t)).port} } };`;
    return startCluster(t, { ...FILES, 'config/config.default.js': config }, { workers: 2 });
  },
};

for (const [name, start] of Object.entries(WAYS)) {
  test(`agent.io reaches the clients of ${name}`, async t => {
    const cluster = await start(t);
    const recovers = start === oneThatRecovers;
    const clients = await connectSome(t, cluster);
    const [first, second, third] = clients as [Client, Client, Client];
    const chat = await connect(t, `${cluster.url}/chat`);
    for (const client of clients) client.on('asked', (acknowledge: (answer: string) => void) => acknowledge('here'));

    const everybody = clients.map(client => next(client, 'told'));
    assert.equal(await ask(first, 'agent', 'emit'), 'done');
    for (const heard of await Promise.all(everybody)) {
      const [, , offset] = heard;
      assert.deepEqual(heard, ['everybody', Buffer.from([0, 255]), ...(recovers ? [offset] : [])]);
    }
    await until(t, async () => (await ask(first, 'agent', 'count')) === clients.length); // those of an earlier test may still be leaving
    assert.deepEqual(
      await ask(first, 'agent', 'ask'),
      clients.map(() => 'here'),
    );

    for (const client of [first, second, third]) await ask(client, 'join', 'room');
    await ask(third, 'join', 'others');
    const heard: Client[] = [];
    for (const client of clients) client.on('told', () => heard.push(client));
    const inRoom = [first, second].map(client => next(client, 'told'));
    await ask(first, 'agent', 'room', 'room');
    await Promise.all(inRoom);
    assert.match(String(await ask(first, 'agent', 'pattern')), /IO_PATTERN_LATE: agent\.io\.of\('\/room-\{id\}'\) is a pattern/);
    for (const what of ['namespace', 'contract']) {
      const inChat = next(chat, 'told');
      assert.equal(await ask(first, 'agent', what), 'done');
      assert.equal((await inChat)[0], 'chat');
    }
    const gone = next(second, 'disconnect');
    await ask(first, 'agent', 'disconnect', second.id);
    assert.deepEqual((await gone)[0], 'io server disconnect');
    assert.equal(await ask(first, 'agent', 'count'), clients.length - 1);
    assert.equal(heard.length, 2);
    assert.equal(await cluster.terminate(), 0);
    assert.doesNotMatch((await cluster.log()) + (await cluster.agentLog()), / ERROR /);
  });
}

test('what the agent asks while it starts waits for the first worker', async t => {
  const files = {
    'agent.js': `
      module.exports = class {
        constructor(agent) { this.agent = agent; }
        didLoad() {
          const answered = answer => this.agent.logger.info('the workers have answered: %j', answer);
          this.agent.io.serverSideEmitWithAck('who').then(answered, ({ code }) => answered(code));
        }
      };`,
    'app.js': `
      module.exports = class {
        constructor(app) { this.app = app; }
        configDidLoad() { this.app.io.on('who', answer => answer('a worker')); }
      };`,
  };
  const cluster = await startCluster(t, files, { workers: 2 });
  let answer: string | undefined;
  await until(t, async () => {
    [, answer] = /the workers have answered: (.*)/.exec(await cluster.agentLog()) ?? [];
    return answer !== undefined;
  });
  // where the machine is so slow that no worker comes in 2 s, it says so
  assert.match(answer ?? '', /^(\["a worker"(,"a worker")?\]|"IO_HUB_DOWN")$/);
});

test(
  'a single worker that is started anew hears the agent, and so does one that has clients when the agent begins to speak',
  { timeout: 60_000 },
  async t => {
    const cluster = await startCluster(t, FILES, { workers: 1 });
    const client = await connect(t, cluster.url, { reconnection: true });
    await ask(client, 'join', 'room'); // before there is a hub
    let heard = next(client, 'told');
    await ask(client, 'agent', 'room', 'room');
    assert.deepEqual(await heard, ['room']);

    const back = next(client, 'connect');
    process.kill(processesOf(cluster.master.pid ?? 0).workers[0] ?? 0, 'SIGKILL');
    await back;
    heard = next(client, 'told');
    await ask(client, 'agent', 'emit');
    await heard;
    assert.equal(await ask(client, 'agent', 'count'), 1);
  },
);

test('where there is no way from the agent to the workers, agent.io says so', { timeout: 60_000 }, async t => {
  const cluster = await startCluster(t, { ...FILES, 'config/config.default.js': 'exports.io = { cluster: false };' }, { workers: 2 });
  const client = await connect(t, cluster.url);
  assert.match(
    String(await ask(client, 'agent', 'emit')),
    /IO_AGENT_ALONE: agent\.io has no way to the workers: config\.io\.cluster is false/,
  );
});

test(
  'an adapter of the app’s own in init.adapter is a way from the agent to the workers; of one that app.js sets the boot says that agent.io does not use it',
  { timeout: 60_000 },
  async t => {
    const config = `exports.io = { cluster: false, init: { adapter: require('socket.io-adapter').Adapter } };`;
    const app = `
      const { Adapter } = require('socket.io-adapter');
      module.exports = class {
        constructor(app) { this.app = app; }
        configDidLoad() { this.app.io.adapter(this.app.io.adapter()); } // the same once more
        async didReady() { this.app.io.adapter(class extends Adapter {}); }
      };`;
    const cluster = await startCluster(t, { ...FILES, 'config/config.default.js': config, 'app.js': app }, { workers: 1 });
    const client = await connect(t, cluster.url);
    assert.doesNotMatch(String(await ask(client, 'agent', 'emit')), /IO_AGENT_ALONE|Error/);
    assert.equal((await cluster.log()).match(/ WARN .*IO_AGENT_ADAPTER: .*set it as config\.io\.adapter/g)?.length, 1);
  },
);
