/** Rooms and namespaces, from anywhere in the app. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestClient } from 'egg-socket.io/test';
import { type Files, startApp } from './support/app';
import { next } from './support/client';
import { openPolling } from './support/raw';

/** All that each client has heard under `news` since it was asked, in order. */
async function newsOf(...clients: TestClient[]): Promise<unknown[][]> {
  return Promise.all(clients.map(async client => (await client.all('news')).flat()));
}

const APP: Files = {
  'app/router.js': `
    module.exports = app => {
      for (const name of ['/', '/chat']) {
        const nsp = app.io.of(name);
        nsp.route('join', async ctx => { await ctx.join(ctx.args[0]); return [...ctx.rooms]; });
        nsp.route('leave', async ctx => { await ctx.leave(ctx.args[0]); return [...ctx.rooms]; });
      }
      app.io.route('to', async ctx => ctx.to(ctx.args[0]).emit('news', 'to'));
      app.io.route('in', async ctx => ctx.in(ctx.args[0]).emit('news', 'in'));
      app.io.route('except', async ctx => ctx.socket.except(ctx.args[0]).emit('news', 'except'));
      app.io.route('broadcast', async ctx => ctx.broadcast.emit('news', 'broadcast'));
      app.io.route('direct', async ctx => app.io.to(ctx.args[0]).emit('news', 'direct'));
      app.io.route('all', async ctx => ctx.server.emit('news', 'all'));
      app.io.route('nsp', async ctx => app.io.of('/chat').emit('news', 'from the main namespace'));
      app.io.route('ask', async ctx => ctx.socket.timeout(5000).emitWithAck('question', 'how are you?'));
      app.io.route('ask all', async ctx => app.io.in(ctx.args[0]).timeout(5000).emitWithAck('question', 'all?'));
    };`,
};

test('join and leave, and what is sent to a room reaches those in it but the sender', async t => {
  const { open } = await startApp(t, APP);
  const [anna, bert, carl] = [await open(), await open(), await open()];
  assert.deepEqual(await anna.call('join', 'red'), [anna.id, 'red']);
  assert.deepEqual(await bert.call('join', 'red'), [bert.id, 'red']);
  for (const event of ['to', 'in']) await anna.call(event, 'red');
  assert.deepEqual(await newsOf(anna, bert, carl), [[], ['to', 'in'], []]);
  assert.deepEqual(await bert.call('leave', 'red'), [bert.id]);
  await carl.call('to', 'red');
  assert.deepEqual(await newsOf(anna, bert, carl), [['to'], [], []]);
});

test('except, broadcast, one client by its id, and everyone', async t => {
  const { open } = await startApp(t, APP);
  const [anna, bert, carl] = [await open(), await open(), await open()];
  await carl.call('join', 'quiet');
  await anna.call('except', 'quiet');
  await anna.call('broadcast');
  await anna.call('direct', carl.id);
  await bert.call('all');
  assert.deepEqual(await newsOf(anna, bert, carl), [['all'], ['except', 'broadcast', 'all'], ['broadcast', 'direct', 'all']]);
});

test('rooms of one namespace are not those of another, and a controller can reach another namespace', async t => {
  const { open } = await startApp(t, APP);
  const [main, chat] = [await open(), await open('/chat')];
  await main.call('join', 'red');
  await chat.call('join', 'red');
  await (await open()).call('to', 'red');
  await main.call('nsp');
  assert.deepEqual(await newsOf(main, chat), [['to'], ['from the main namespace']]);
});

test('a controller can ask a client, and all clients of a room, and give their answers on', async t => {
  const { open } = await startApp(t, APP);
  const [anna, bert] = [await open(), await open()];
  for (const [name, client] of Object.entries({ anna, bert })) {
    client.socket.on('question', (text: string, answer: (it: string) => void) => answer(`${name}: ${text}`));
    await client.call('join', 'red');
  }
  assert.equal(await anna.call('ask'), 'anna: how are you?');
  assert.deepEqual(((await anna.call('ask all', 'red')) as string[]).sort(), ['anna: all?', 'bert: all?']);
});

test('volatile events reach a client that is ready, and are not kept for one that is not', async t => {
  const { io, open, url } = await startApp(t, APP);
  const client = await open();
  io.volatile.emit('news', 'volatile');
  assert.deepEqual(await client.next('news'), ['volatile']);

  const polling = await openPolling(url);
  await (await fetch(polling, { method: 'POST', body: '40' })).text();
  assert.match(await (await fetch(polling)).text(), /^40\{/);
  // between two polls there is nothing to send it with
  io.volatile.emit('news', 'volatile');
  io.emit('news', 'kept');
  assert.equal(await (await fetch(polling)).text(), '42["news","kept"]');
});

test('fetchSockets, socketsJoin, socketsLeave and disconnectSockets', async t => {
  const { io, open } = await startApp(t, APP);
  const [anna, bert] = [await open(), await open()];
  await anna.call('join', 'red');
  assert.deepEqual((await io.fetchSockets()).map(({ id }) => id).sort(), [anna.id, bert.id].sort());
  assert.deepEqual(
    (await io.in('red').fetchSockets()).map(({ id, rooms }) => [id, [...rooms]]),
    [[anna.id, [anna.id, 'red']]],
  );
  io.in('red').socketsJoin(['blue', 'green']);
  io.in('blue').socketsLeave('red');
  assert.deepEqual(
    (await io.in(['blue', 'green']).fetchSockets()).map(({ rooms }) => [...rooms]),
    [[anna.id, 'blue', 'green']],
  );
  io.in('blue').disconnectSockets();
  assert.equal(await anna.gone(), 'io server disconnect');
  assert.equal(bert.connected, true);
  assert.deepEqual(
    (await io.fetchSockets()).map(({ id }) => id),
    [bert.id],
  );
});

test('onAny hears every event, routed or not, before its handler', async t => {
  const { open } = await startApp(t, {
    'app/router.js': `
      module.exports = app => {
        app.io.on('connection', socket => {
          const events = (socket.data.events = []);
          socket.onAny(event => events.push(event));
          socket.onAnyOutgoing(event => events.push('out: ' + event));
        });
        app.io.route('events', async ctx => { ctx.emit('hello'); return ctx.socket.data.events; });
      };`,
  });
  const client = await open();
  client.send('nothing');
  assert.deepEqual(await client.call('events'), ['nothing', 'events', 'out: hello']);
});

test('an HTTP controller, a service and a scheduled task reach clients', async t => {
  const { app, open, url } = await startApp(t, {
    ...APP,
    'app/controller/news.js': `
      module.exports = app => class extends app.Controller {
        async create() { this.app.io.to('red').emit('news', 'HTTP'); this.ctx.body = { reached: (await this.app.io.in('red').fetchSockets()).length }; }
        async send() { this.ctx.body = await this.service.news.send(); }
      };`,
    'app/service/news.js': `
      module.exports = app => class extends app.Service { async send() { this.app.io.of('/').to('red').emit('news', 'service'); return 'sent'; } };`,
    'app/schedule/news.js': `
      module.exports = { schedule: { interval: '1h', type: 'worker', disable: true }, async task(ctx) { ctx.app.io.emit('news', 'schedule'); } };`,
    'app/router.js': `${APP['app/router.js']}
        const io = module.exports;
        module.exports = app => {
          io(app);
          app.router.get('/news', app.controller.news.create);
          app.router.get('/service', app.controller.news.send);
        };`,
  });
  const [anna, bert] = [await open(), await open()];
  await anna.call('join', 'red');
  assert.deepEqual(await (await fetch(`${url}/news`)).json(), { reached: 1 });
  assert.equal(await (await fetch(`${url}/service`)).text(), 'sent');
  await app.runSchedule('news');
  assert.deepEqual(await newsOf(anna, bert), [['HTTP', 'service', 'schedule'], ['schedule']]);
});

test('one user is reached on all devices through a room of the user’s id', async t => {
  const { open, url } = await startApp(t, {
    'config/config.default.js': `exports.io = { namespace: { '/': { connectionMiddleware: ['auth'] } } };`,
    'app/io/middleware/auth.js': `
      module.exports = app => async (ctx, next) => {
        const { user } = ctx.session;
        if (!user) throw new Error('log in first');
        await ctx.join('user:' + user);
        await next();
      };`,
    'app/router.js': `
      module.exports = app => {
        app.router.get('/tell', async ctx => { app.io.to('user:' + ctx.query.user).emit('news', ctx.query.text); ctx.body = 'told'; });
        app.io.route('tell', async ctx => { const [user, text] = ctx.args; ctx.to('user:' + user).emit('news', text); return 'told'; });
      };`,
  });
  const device = async (user: string): Promise<TestClient> => open('/', { session: { user } });
  const [phone, laptop, other] = [await device('anna'), await device('anna'), await device('bert')];
  assert.equal(await (await fetch(`${url}/tell?user=anna&text=HTTP`)).text(), 'told');
  assert.equal(await other.call('tell', 'anna', 'from bert'), 'told');
  assert.deepEqual(await newsOf(phone, laptop, other), [['HTTP', 'from bert'], ['HTTP', 'from bert'], []]);
});

test('a room that connection middleware joins is there from the first moment, and left when the client is refused or gone', async t => {
  const { io, open, app } = await startApp(t, {
    'config/config.default.js': `exports.io = { namespace: { '/': { connectionMiddleware: ['room'] } } };`,
    'app/io/middleware/room.js': `
      module.exports = app => async (ctx, next) => {
        await ctx.join('red');
        ctx.to('red').emit('news', 'someone came');
        if (ctx.handshake.query.no) throw new Error('no');
        await next();
        app.emit('rooms', [...ctx.rooms]);
      };`,
  });
  const [anna, bert] = [await open(), await open()];
  assert.equal((await open('/', { query: { no: '1' } })).refused?.message, 'no');
  assert.deepEqual(await newsOf(anna), [['someone came', 'someone came']]);
  assert.equal((await io.in('red').fetchSockets()).length, 2);
  const rooms = next(app, 'rooms');
  anna.disconnect();
  assert.deepEqual(await rooms, [[]]);
  assert.deepEqual([...(io.sockets.adapter.rooms.get('red') ?? [])], [bert.id]);
});

test('a question to many waits 5 s for its answers, whichever way it is asked', async t => {
  const { io, open } = await startApp(t, {
    'app/io/middleware/ask.js': `
      module.exports = () => async (ctx, next) => {
        if (ctx.socket.handshake.auth.asks) ctx.socket.data.answers = await ctx.socket.broadcast.emitWithAck('late');
        await next();
      };`,
    'app/router.js': `
      module.exports = app => {
        app.io.of('/chat');
        app.io.route('ask', async ctx => ctx.socket.broadcast.emitWithAck('late'));
        app.io.route('answers', async ctx => ctx.socket.data.answers);
      };`,
    'config/config.default.js': `exports.io = { namespace: { '/': { connectionMiddleware: ['ask'] } } };`,
  });
  const [anna, bert, chat] = [await open(), await open(), await open('/chat')];
  const answerLate = (client: TestClient, name: string): void => {
    // after several turns of the event loop: a time-out of 1 ms would be over
    client.socket.on('late', (answer: (name: string) => void) => void setTimeout(answer, 20, name));
  };
  answerLate(anna, 'anna');
  answerLate(bert, 'bert');
  answerLate(chat, 'chat');
  for (const answers of [
    await io.emitWithAck('late'),
    await io.local.emitWithAck('late'),
    await io.except('nobody').emitWithAck('late'),
    await io.of('/').emitWithAck('late'),
    await new Promise((resolve, reject) => {
      io.emit('late', (error: Error | null, answers: string[]) => (error ? reject(error) : resolve(answers)));
    }),
  ]) {
    assert.deepEqual((answers as string[]).toSorted(), ['anna', 'bert']);
  }
  assert.deepEqual(await io.to(anna.id ?? '').emitWithAck('late'), ['anna']);
  assert.deepEqual(await io.of('/chat').emitWithAck('late'), ['chat']);
  assert.deepEqual(await bert.call('ask'), ['anna']);
  const carl = await open('/', { auth: { asks: true } });
  assert.deepEqual(((await carl.call('answers')) as string[]).toSorted(), ['anna', 'bert']);

  const since = performance.now();
  const error = await io.emitWithAck('late').then(
    () => assert.fail('carl does not answer'),
    (error: unknown) => error as Error & { responses: string[] }, // as Socket.IO makes it
  );
  assert.match(error.message, /timed out/);
  assert.deepEqual(error.responses.toSorted(), ['anna', 'bert']);
  assert.ok(performance.now() - since > 4900);
});

test('the time for the answers to one question is that of the question, not of what its operator and others made of it emit next', async t => {
  const { io, open } = await startApp(t, APP);
  const anna = await open();
  anna.socket.on('question', (answer: (text: string) => void) => answer('well'));
  const { adapter } = io.of('/');
  const broadcast = adapter.broadcast.bind(adapter);
  const flags: unknown[] = [];
  adapter.broadcast = (packet, options) => {
    flags.push(options.flags);
    broadcast(packet, options);
  };
  const asking = io.except('nobody');
  const red = asking.to('red');
  assert.deepEqual(await asking.emitWithAck('question'), ['well']);
  asking.emit('news', 'to all');
  red.emit('news', 'to some');
  assert.deepEqual(flags, [{}, {}]);
});
