/** Rooms and namespaces, from anywhere in the app. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Files, startApp } from './support/app';
import { ask, type Client, connect, next } from './support/client';
import { openPolling } from './support/raw';

/** All that a client hears under `news`, in order. */
function newsOf(client: Client): unknown[] {
  const heard: unknown[] = [];
  client.on('news', what => heard.push(what));
  return heard;
}

const APP: Files = {
  'app/router.js': `
    module.exports = app => {
      for (const name of ['/', '/chat']) {
        const nsp = app.io.of(name);
        nsp.route('join', async ctx => { await ctx.join(ctx.args[0]); return [...ctx.rooms]; });
        nsp.route('leave', async ctx => { await ctx.leave(ctx.args[0]); return [...ctx.rooms]; });
        nsp.route('barrier', async () => true);
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

/** Everyone has heard what was sent before. */
async function barrier(...clients: Client[]): Promise<void> {
  await Promise.all(clients.map(client => ask(client, 'barrier')));
}

test('join and leave, and what is sent to a room reaches those in it but the sender', async t => {
  const { url } = await startApp(t, APP);
  const [anna, bert, carl] = [await connect(t, url), await connect(t, url), await connect(t, url)];
  assert.deepEqual(await ask(anna, 'join', 'red'), [anna.id, 'red']);
  assert.deepEqual(await ask(bert, 'join', 'red'), [bert.id, 'red']);
  const [annas, berts, carls] = [newsOf(anna), newsOf(bert), newsOf(carl)];
  for (const event of ['to', 'in']) await ask(anna, event, 'red');
  await barrier(anna, bert, carl);
  assert.deepEqual([annas, berts, carls], [[], ['to', 'in'], []]);
  assert.deepEqual(await ask(bert, 'leave', 'red'), [bert.id]);
  await ask(carl, 'to', 'red');
  await barrier(anna, bert, carl);
  assert.deepEqual([annas, berts, carls], [['to'], ['to', 'in'], []]);
});

test('except, broadcast, one client by its id, and everyone', async t => {
  const { url } = await startApp(t, APP);
  const [anna, bert, carl] = [await connect(t, url), await connect(t, url), await connect(t, url)];
  await ask(carl, 'join', 'quiet');
  const [annas, berts, carls] = [newsOf(anna), newsOf(bert), newsOf(carl)];
  await ask(anna, 'except', 'quiet');
  await ask(anna, 'broadcast');
  await ask(anna, 'direct', carl.id);
  await ask(bert, 'all');
  await barrier(anna, bert, carl);
  assert.deepEqual([annas, berts, carls], [['all'], ['except', 'broadcast', 'all'], ['broadcast', 'direct', 'all']]);
});

test('rooms of one namespace are not those of another, and a controller can reach another namespace', async t => {
  const { url } = await startApp(t, APP);
  const [main, chat] = [await connect(t, url), await connect(t, url + '/chat')];
  await ask(main, 'join', 'red');
  await ask(chat, 'join', 'red');
  const [mains, chats] = [newsOf(main), newsOf(chat)];
  await ask(await connect(t, url), 'to', 'red');
  await ask(main, 'nsp');
  await barrier(main, chat);
  assert.deepEqual([mains, chats], [['to'], ['from the main namespace']]);
});

test('a controller can ask a client, and all clients of a room, and give their answers on', async t => {
  const { url } = await startApp(t, APP);
  const [anna, bert] = [await connect(t, url), await connect(t, url)];
  for (const [name, client] of Object.entries({ anna, bert })) {
    client.on('question', (text: string, answer: (it: string) => void) => answer(`${name}: ${text}`));
    await ask(client, 'join', 'red');
  }
  assert.equal(await ask(anna, 'ask'), 'anna: how are you?');
  assert.deepEqual(((await ask(anna, 'ask all', 'red')) as string[]).sort(), ['anna: all?', 'bert: all?']);
});

test('volatile events reach a client that is ready, and are not kept for one that is not', async t => {
  const { io, url } = await startApp(t, APP);
  const client = await connect(t, url);
  const heard = next(client, 'news');
  io.volatile.emit('news', 'volatile');
  assert.deepEqual(await heard, ['volatile']);

  const polling = await openPolling(url);
  await (await fetch(polling, { method: 'POST', body: '40' })).text();
  assert.match(await (await fetch(polling)).text(), /^40\{/);
  // between two polls there is nothing to send it with
  io.volatile.emit('news', 'volatile');
  io.emit('news', 'kept');
  assert.equal(await (await fetch(polling)).text(), '42["news","kept"]');
});

test('fetchSockets, socketsJoin, socketsLeave and disconnectSockets', async t => {
  const { io, url } = await startApp(t, APP);
  const [anna, bert] = [await connect(t, url), await connect(t, url)];
  await ask(anna, 'join', 'red');
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
  const gone = next(anna, 'disconnect');
  io.in('blue').disconnectSockets();
  assert.equal((await gone)[0], 'io server disconnect');
  assert.equal(bert.connected, true);
  assert.deepEqual(
    (await io.fetchSockets()).map(({ id }) => id),
    [bert.id],
  );
});

test('onAny hears every event, routed or not, before its handler', async t => {
  const { url } = await startApp(t, {
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
  const client = await connect(t, url);
  client.emit('nothing');
  assert.deepEqual(await ask(client, 'events'), ['nothing', 'events', 'out: hello']);
});

test('an HTTP controller, a service and a scheduled task reach clients', async t => {
  const { app, url } = await startApp(t, {
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
  const [anna, bert] = [await connect(t, url), await connect(t, url)];
  await ask(anna, 'join', 'red');
  const [annas, berts] = [newsOf(anna), newsOf(bert)];
  assert.deepEqual(await (await fetch(`${url}/news`)).json(), { reached: 1 });
  assert.equal(await (await fetch(`${url}/service`)).text(), 'sent');
  await app.runSchedule('news');
  await barrier(anna, bert);
  assert.deepEqual([annas, berts], [['HTTP', 'service', 'schedule'], ['schedule']]);
});

test('one user is reached on all devices through a room of the user’s id', async t => {
  const { url } = await startApp(t, {
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
        app.router.get('/login', async ctx => { ctx.session.user = ctx.query.user; ctx.body = 'in'; });
        app.router.get('/tell', async ctx => { app.io.to('user:' + ctx.query.user).emit('news', ctx.query.text); ctx.body = 'told'; });
        app.io.route('tell', async ctx => { const [user, text] = ctx.args; ctx.to('user:' + user).emit('news', text); return 'told'; });
        app.io.route('barrier', async () => true);
      };`,
  });
  const device = async (user: string): Promise<Client> => {
    const response = await fetch(`${url}/login?user=${user}`);
    const cookie = response.headers.getSetCookie().map(one => one.split(';')[0]);
    await response.body?.cancel();
    return connect(t, url, { extraHeaders: { cookie: cookie.join('; ') } });
  };
  const [phone, laptop, other] = [await device('anna'), await device('anna'), await device('bert')];
  const heard = [newsOf(phone), newsOf(laptop), newsOf(other)];
  assert.equal(await (await fetch(`${url}/tell?user=anna&text=HTTP`)).text(), 'told');
  assert.equal(await ask(other, 'tell', 'anna', 'from bert'), 'told');
  await barrier(phone, laptop, other);
  assert.deepEqual(heard, [['HTTP', 'from bert'], ['HTTP', 'from bert'], []]);
});

test('a room that connection middleware joins is there from the first moment, and left when the client is refused or gone', async t => {
  const { io, url, app } = await startApp(t, {
    'config/config.default.js': `exports.io = { namespace: { '/': { connectionMiddleware: ['room'] } } };`,
    'app/io/middleware/room.js': `
      module.exports = app => async (ctx, next) => {
        await ctx.join('red');
        ctx.to('red').emit('news', 'someone came');
        if (ctx.handshake.query.no) throw new Error('no');
        await next();
        app.emit('rooms', [...ctx.rooms]);
      };`,
    'app/router.js': `module.exports = app => { app.io.route('barrier', async () => true); };`,
  });
  const anna = await connect(t, url);
  const heard = newsOf(anna);
  const bert = await connect(t, url);
  await assert.rejects(connect(t, url, { query: { no: '1' } }), /^Error: no$/);
  await barrier(anna, bert);
  assert.deepEqual(heard, ['someone came', 'someone came']);
  assert.equal((await io.in('red').fetchSockets()).length, 2);
  const rooms = next(app, 'rooms');
  anna.disconnect();
  assert.deepEqual(await rooms, [[]]);
  assert.deepEqual([...(io.sockets.adapter.rooms.get('red') ?? [])], [bert.id]);
});

test('a question to many waits 5 s for its answers, whichever way it is asked', async t => {
  const { io, url } = await startApp(t, {
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
  const [anna, bert, chat] = [await connect(t, url), await connect(t, url), await connect(t, `${url}/chat`)];
  const answerLate = (client: Client, name: string): void => {
    // after several turns of the event loop: a time-out of 1 ms would be over
    client.on('late', (answer: (name: string) => void) => void setTimeout(answer, 20, name));
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
  assert.deepEqual(await ask(bert, 'ask'), ['anna']);
  const carl = await connect(t, url, { auth: { asks: true } });
  assert.deepEqual(((await ask(carl, 'answers')) as string[]).toSorted(), ['anna', 'bert']);

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
  const { io, url } = await startApp(t, APP);
  const anna = await connect(t, url);
  anna.on('question', (answer: (text: string) => void) => answer('well'));
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
