/** Namespaces that are `ordered`: the events of a connection are handled one after the other. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { type Files, type RunningApp, startApp } from './support/app';
import { ask, type Client, type ClientOptions, type ClientVersion, connect } from './support/client';
import { startProxy } from './support/proxy';
import { RawClient } from './support/raw';
import { internals } from './support/remains';
import { until } from './support/until';

const FILES: Files = {
  'config/config.default.js': `
    exports.io = { namespace: {
      '/': { ordered: true, packetMiddleware: ['filter'], connectionMiddleware: ['life'] },
      '/bare': { ordered: true },
      '/room-{id}': { ordered: true },
      '/contract': { ordered: true },
      '/loose': { packetMiddleware: ['filter'], ordered: false },
    } };`,
  'app/io/middleware/filter.js': `
    module.exports = () => async (ctx, next) => {
      if (ctx.packet[0] === 'unwanted') return;
      if (ctx.packet[0] === 'forbidden') throw new Error('forbidden');
      await next();
    };`,
  'app/io/middleware/life.js': `
    module.exports = app => async (ctx, next) => {
      const { socket } = ctx;
      if (socket.handshake.auth.uses) app.addUses(socket);
      socket.on('heard', async n => {
        app.journal.push('heard ' + n + (app.ctxStorage.getStore() ? ' in a context' : ''));
        await null;
        app.journal.push('heard ' + n + ' to its end');
      });
      await next();
      app.journal.push('middleware ends');
    };`,
  'app/router.js': `
    const { setImmediate: turn } = require('node:timers/promises');
    const { once } = require('node:events');
    const any = { '~standard': { version: 1, vendor: 'own', validate: value => typeof value === 'number' ? { value } : { issues: [{ message: 'no number' }] } } };
    const contract = { namespace: '/contract', client: { work: { args: [any, any], ack: any } } };
    module.exports = app => {
      app.journal = [];
      app.addUses = socket => socket.use((packet, next) => {
        if (packet[0] === 'used later') app.once('use', () => next());
        else if (packet[0] !== 'used never') next(packet[0] === 'used badly' ? new Error('no') : undefined);
      });
      const work = async ctx => {
        const [n, turns] = ctx.args;
        app.journal.push('begin ' + n);
        for (let left = turns; left > 0; left--) await turn();
        app.journal.push('end ' + n);
        return n;
      };
      for (const name of ['/', '/bare', '/room-{id}', '/loose']) {
        app.io.of(name).route('work', work).route('hold', async ctx => {
          const [name, and] = ctx.args;
          app.journal.push('begin ' + name);
          await once(app, 'go on');
          if (and === 'disconnect') ctx.socket.disconnect();
            app.journal.push('end ' + name);
          return name;
        });
      }
      app.io.of(contract).route('work', work);
      app.io.route('fail', async () => { throw new Error('failed'); });
      app.io.route('used later', async () => { app.journal.push('used later'); });
      app.io.route('unsendable', async () => 1n);
      app.io.route('heard', async ctx => { app.journal.push('handled ' + ctx.args[0]); });
      app.io.route('disconnecting', async () => { app.journal.push('disconnecting'); });
      app.io.route('disconnect', async ctx => { app.journal.push(ctx.args[0]); });
    };`,
};

type Journal = string[];

function journalOf({ app }: RunningApp): Journal {
  return Reflect.get(app, 'journal') as Journal;
}

test('the next event begins when the last has settled, and the answers come in order: over each transport and protocol', async t => {
  const app = await startApp(t, FILES);
  const journal = journalOf(app);
  const numbers = [0, 1, 2, 3, 4];
  const ordered = numbers.flatMap(n => [`begin ${n}`, `end ${n}`]);
  const run = async (namespace: string, options: ClientOptions = {}, version: ClientVersion = 4): Promise<unknown[]> => {
    journal.length = 0;
    const client = await connect(t, app.url + namespace, options, version);
    const answers: unknown[] = [];
    await Promise.all(numbers.map(async n => answers.push(await ask(client, 'work', n, 20 - 4 * n))));
    client.disconnect();
    return answers;
  };
  for (const namespace of ['', '/bare', '/room-7', '/contract'])
    for (const version of [2, 4] satisfies ClientVersion[])
      for (const transport of ['polling', 'websocket']) {
        const where = `${namespace} ${version} ${transport}`;
        assert.deepEqual(await run(namespace, { transports: [transport] }, version), numbers, where);
        assert.deepEqual(
          journal.filter(line => /^(begin|end) /.test(line)), // a client before this one may only now have gone
          ordered,
          where,
        );
      }
  assert.deepEqual(await run('/loose'), numbers.toReversed(), 'without the option, those that take less time end first');
});

test('an event that fails, is dropped or is refused lets the next one begin', async t => {
  const app = await startApp(t, FILES);
  const client = await connect(t, app.url, { auth: { uses: true } });
  const unanswered: string[] = [];
  for (const event of ['fail', 'forbidden', 'unwanted', 'used never', 'used badly', 'unsendable', 'unknown', 'error', 'heard']) {
    client.emit(event, 1, () => unanswered.push(event));
    client.emit(event, 1);
    assert.equal(await ask(client, 'work', event, 3), event);
  }
  const strict = await connect(t, `${app.url}/contract`);
  const answers: unknown[] = [];
  const refused = ask(strict, 'work', 'one', 1).then(answer => answers.push(answer));
  await Promise.all([refused, ask(strict, 'work', 2, 1).then(answer => answers.push(answer))]);
  assert.match(JSON.stringify(answers), /^\[\{"error":\{"code":"INVALID_ARGUMENT",.*\}\},2\]$/);
  await until(t, () => internals(app.io).runtime.inFlight.size === 0);
});

test('listeners are called in their turn, outside of any context, and nobody waits for their promises', async t => {
  const app = await startApp(t, FILES);
  const journal = journalOf(app);
  const client = await connect(t, app.url);
  client.emit('work', 1, 5);
  client.emit('heard', 2);
  client.emit('work', 3, 0);
  client.emit('heard', 4);
  await ask(client, 'work', 5, 0);
  assert.deepEqual(
    journal.filter(line => !line.endsWith('to its end')),
    ['begin 1', 'end 1', 'handled 2', 'heard 2 in a context', 'begin 3', 'end 3', 'handled 4', 'heard 4 in a context', 'begin 5', 'end 5'],
  );
  journal.length = 0;
  const bare = await connect(t, `${app.url}/bare`);
  const [socket] = app.io.of('/bare').sockets.values();
  socket?.on('heard', n => journal.push(`heard ${n}${app.app.currentContext ? ' in a context' : ''}`));
  bare.emit('work', 1, 5);
  bare.emit('heard', 2);
  bare.emit('work', 3, 0);
  bare.emit('heard', 4);
  await ask(bare, 'work', 5, 0);
  assert.deepEqual(journal, ['begin 1', 'end 1', 'heard 2', 'begin 3', 'end 3', 'heard 4', 'begin 5', 'end 5']);
});

test('an event whose use() function calls next() late is overtaken, and never handled at the same time as another', async t => {
  const app = await startApp(t, FILES);
  const journal = journalOf(app);
  const client = await connect(t, app.url, { auth: { uses: true } });
  client.emit('used later');
  assert.equal(await ask(client, 'work', 1, 0), 1);
  client.emit('hold', 2);
  await until(t, () => journal.includes('begin 2'));
  client.emit('work', 3, 1);
  app.app.emit('use');
  await ask(await connect(t, `${app.url}/bare`), 'work', 'elsewhere', 5);
  assert.ok(!journal.includes('used later'));
  app.app.emit('go on');
  await until(t, () => journal.includes('end 3'));
  const own = journal.filter(line => !line.endsWith('elsewhere'));
  assert.deepEqual(own, ['begin 1', 'end 1', 'begin 2', 'end 2', 'used later', 'begin 3', 'end 3']);
});

for (const [how, leave] of Object.entries({
  'by itself': (client: Client) => client.disconnect(),
  'by losing its network': (client: Client) => client.io.engine.close(),
}))
  test(`what a client has sent before it leaves ${how} is handled, and then its end`, async t => {
    const app = await startApp(t, FILES);
    const journal = journalOf(app);
    const client = await holding(t, app, 'first');
    client.emit('work', 2, 1);
    client.emit('work', 3, 1);
    leave(client);
    await until(t, () => journal.includes('disconnecting'));
    assert.deepEqual(journal, ['begin first', 'disconnecting']);
    app.app.emit('go on');
    await until(t, () => journal.includes('middleware ends'));
    assert.deepEqual(journal.slice(2, -2), ['end first', 'begin 2', 'end 2', 'begin 3', 'end 3']);
    assert.match(journal.at(-2) ?? '', /^(client namespace disconnect|transport close)$/);
    await until(t, () => internals(app.io).runtime.inFlight.size === 0);
  });

test('what waits is dropped when the server disconnects the client', async t => {
  const app = await startApp(t, FILES);
  const journal = journalOf(app);
  const client = await holding(t, app, 'first', 'disconnect');
  await sendTwo(t, app, client);
  app.app.emit('go on');
  await until(t, () => journal.includes('middleware ends'));
  assert.deepEqual(journal, ['begin first', 'disconnecting', 'end first', 'server namespace disconnect', 'middleware ends']);
  await until(t, () => internals(app.io).runtime.inFlight.size === 0);
});

test('what a client has sent before its network vanished is handled, though it is recovered meanwhile', async t => {
  const config =
    "exports.io = { init: { connectionStateRecovery: {} }, namespace: { '/': { ordered: true, connectionMiddleware: ['life'] } } };";
  const app = await startApp(t, { ...FILES, 'config/config.default.js': config });
  const journal = journalOf(app);
  const proxy = await startProxy(t, app.port);
  const client = await holding(t, { ...app, url: proxy.url }, 'first', '', { reconnection: true, reconnectionDelay: 20 });
  await sendTwo(t, app, client);
  const back = new Promise(resolve => client.once('connect', () => resolve(client.recovered)));
  proxy.vanish();
  assert.equal(await back, true);
  app.app.emit('go on');
  await until(t, () => journal.includes('middleware ends'));
  assert.deepEqual(journal.slice(2), ['end first', 'begin 2', 'end 2', 'begin 3', 'end 3', 'forced close', 'middleware ends']);
});

test('a closing server handles what waits', async t => {
  const app = await startApp(t, FILES);
  const client = await holding(t, app, 'first');
  const answers = Promise.all([ask(client, 'work', 2, 1), ask(client, 'work', 3, 1)]);
  await until(t, () => internals(app.io).runtime.inFlight.size === 3);
  const closed = app.close();
  app.app.emit('go on');
  assert.deepEqual(await answers, [2, 3]);
  await closed;
  assert.deepEqual(journalOf(app).slice(-4), ['end 3', 'disconnecting', 'server shutting down', 'middleware ends']);
});

test('a closing server that has waited long enough fires disconnect in spite of a handler that does not end', async t => {
  const app = await startApp(t, FILES);
  const client = await holding(t, app, 'first');
  client.emit('work', 2, 1);
  await app.close();
  assert.deepEqual(journalOf(app), ['begin first', 'disconnecting', 'server shutting down', 'middleware ends']);
});

test('without the limit `pending`, 1,000 events of a connection wait, and further ones fail', async t => {
  const config = `${FILES['config/config.default.js']}; exports.io.limits = { pending: false };`;
  const app = await startApp(t, { ...FILES, 'config/config.default.js': config });
  const client = await RawClient.open(t, app.url);
  client.send('40/bare,');
  await client.frame(/^40/);
  client.send('42/bare,["hold","first"]');
  await until(t, () => journalOf(app).includes('begin first'));
  client.burst(...Array.from({ length: 1000 }, (_, n) => `42/bare,["work",${n},0]`));
  client.burst('42/bare,1["work","too many",0]', '42/bare,["work","too many",0]');
  assert.equal(await client.frame(/^43/), '43/bare,1[{"error":{"code":"TOO_MANY_EVENTS","message":"Too many events"}}]');
  assert.equal(await client.frame(/error","Too/), '42/bare,["error","Too many events",{"code":"TOO_MANY_EVENTS","event":"work"}]');
  await app.logged(/WARN.*event "work" failed, namespace \/bare.*Too many events/);
  await app.logged(/WARN.*IO_LIMIT_REACHED.*wait in an ordered namespace: events are refused; the latest: socket \S+ of "\/bare"/);
  assert.equal(internals(app.io).runtime.limits.counts.ordered, 2);
  app.app.emit('go on');
  await until(t, () => journalOf(app).includes('end 999'));
  const order = journalOf(app).filter(line => line.startsWith('end'));
  assert.deepEqual(order, ['end first', ...Array.from({ length: 1000 }, (_, n) => `end ${n}`)]);
  client.send('42/bare,2["work","again",0]');
  await client.frame(/^43\/bare,2\["again"\]/);
});

test('an answer that is given before the handler ends does not let the next event begin', async t => {
  const app = await startApp(t, {
    'config/config.default.js': "exports.io = { namespace: { '/': { ordered: true } } };",
    'app/router.js': `
      module.exports = app => {
        app.io.route('early', async ctx => { ctx.ack('early'); await new Promise(done => app.once('go on', done)); app.isOver = true; });
        app.io.route('is over', async () => app.isOver === true);
      };`,
  });
  const client = await connect(t, app.url);
  assert.equal(await ask(client, 'early'), 'early');
  const isOver = ask(client, 'is over');
  const other = await connect(t, app.url);
  assert.equal(await ask(other, 'is over'), false, 'another connection does not wait');
  app.app.emit('go on');
  assert.equal(await isOver, true);
});

/** A client with an event that is handled until the app emits `go on`. */
async function holding(t: TestContext, app: RunningApp, name: string, and?: string, options?: ClientOptions): Promise<Client> {
  const client = await connect(t, app.url, options);
  client.emit('hold', name, and);
  await until(t, () => journalOf(app).includes(`begin ${name}`));
  return client;
}

/** Sends two events behind the one that is handled, and waits until they wait. */
async function sendTwo(t: TestContext, app: RunningApp, client: Client): Promise<void> {
  client.emit('work', 2, 1);
  client.emit('work', 3, 1);
  await until(t, () => internals(app.io).runtime.inFlight.size === 3);
}
