/** Which handler an event finds. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bootError, startApp } from './support/app';
import { next } from './support/client';

test('app.io.route routes events of the main namespace, app.io.of(name).route those of another, and both can be chained', async t => {
  const { open } = await startApp(t, {
    'app/router.js': `
      module.exports = app => {
        app.io.route('say', async () => 'main').route('more', async () => 'main, more');
        app.io.of('/chat').route('say', async () => 'chat').route('more', async () => 'chat, more');
      };`,
  });
  const [main, chat] = [await open(), await open('/chat')];
  assert.deepEqual(await Promise.all([main.call('say'), main.call('more')]), ['main', 'main, more']);
  assert.deepEqual(await Promise.all([chat.call('say'), chat.call('more')]), ['chat', 'chat, more']);
});

test('an event without a route and without a listener is ignored, and so is one that is named like a member of Object', async t => {
  const { open, logs } = await startApp(t, { 'app/router.js': `module.exports = app => { app.io.route('say', async () => 'said'); };` });
  const client = await open();
  for (const event of ['nothing', '__proto__', 'constructor', 'toString', 'hasOwnProperty']) client.send(event, 1);
  assert.equal(await client.call('say'), 'said');
  assert.deepEqual(
    logs.filter(line => line.startsWith('ERROR')),
    [],
  );
});

test('events can be named like members of Object, and a number is the event of its text', async t => {
  const { open } = await startApp(t, {
    'app/router.js': `
      module.exports = app => {
        app.io.route('__proto__', async () => 'proto');
        app.io.route('constructor', async () => 'made');
        app.io.route('7', async ctx => ctx.packet[0]);
      };`,
  });
  const client = await open();
  assert.equal(await client.call('__proto__'), 'proto');
  assert.equal(await client.call('constructor'), 'made');
  assert.equal(await client.call(7 as unknown as string), 7); // clients in JavaScript may send it
});

test('a routed event reaches the listeners of the socket as well', async t => {
  const { open } = await startApp(t, {
    'app/router.js': `
      module.exports = app => {
        app.io.route('say', async ctx => 'routed');
        app.io.on('connection', socket => {
          socket.on('say', (text, ack) => socket.emit('listened', text, typeof ack));
        });
      };`,
  });
  const client = await open();
  const listened = client.next('listened');
  assert.equal(await client.call('say', 'hello'), 'routed');
  assert.deepEqual(await listened, ['hello', 'function']);
});

test('a second route of an event is warned of, and the first one stays', async t => {
  const { open, logs } = await startApp(t, {
    'app/router.js': `
      module.exports = app => {
        app.io.of('/chat').route('say', async () => 'first');
        app.io.of('chat').route('say', async () => 'second');
        app.io.route('disconnect', async () => {});
        app.io.route('disconnect', async () => {});
      };`,
  });
  const warnings = logs.filter(line => line.includes('IO_ROUTE_DUPLICATE'));
  assert.equal(warnings.length, 2);
  assert.match(warnings[0] ?? '', /^WARN .*route\('say'\) of namespace '\/chat' exists already; the first one is kept/);
  assert.match(warnings[1] ?? '', /route\('disconnect'\) of namespace '\/'/);
  assert.equal(await (await open('/chat')).call('say'), 'first');
});

test('a handler that is no function stops the boot with the event, the namespace and where to look', async t => {
  const error = await bootError(t, {
    'app/io/controller/chat.js': `exports.say = async () => {};`,
    'app/router.js': `module.exports = app => { app.io.of('/chat').route('say', app.io.controller.chat.sya); };`,
  });
  assert.equal(error.code, 'IO_ROUTE_INVALID');
  assert.match(
    error.message,
    /route\('say'\) of namespace '\/chat': the handler is undefined, not a function; does app\/io\/controller export it/,
  );
});

test('a handler may be named by a string, as for the router of HTTP', async t => {
  const { open } = await startApp(t, {
    'app/io/controller/chat.js': `module.exports = app => class extends app.Controller { async say() { return 'said ' + this.ctx.args[0]; } };`,
    'app/io/controller/admin/time.js': `module.exports = async () => 'noon';`,
    'app/router.js': `module.exports = app => { app.io.route('say', 'chat.say').of('/admin').route('time', 'admin.time'); };`,
  });
  assert.equal(await (await open()).call('say', 'hello'), 'said hello');
  assert.equal(await (await open('/admin')).call('time'), 'noon');
});

test('a handler of a name that there is not stops the boot with the names that there are', async t => {
  for (const name of ['chat.sya', 'chta.say', 'chat', 'chat.constructor', '']) {
    const error = await bootError(t, {
      'app/io/controller/chat.js': `exports.say = exports.leave = async () => {};`,
      'app/router.js': `module.exports = app => { app.io.of('/chat').route('say', '${name}'); };`,
    });
    assert.equal(error.code, 'IO_CONTROLLER_UNKNOWN', name);
    assert.ok(error.message.includes(`route('say') of namespace '/chat' names '${name}'; use one of: chat.leave, chat.say`), error.message);
  }
});

test('an event that is no string stops the boot', async t => {
  for (const event of [`''`, '1', 'undefined', 'null', `Symbol('x')`]) {
    const error = await bootError(t, { 'app/router.js': `module.exports = app => { app.io.route(${event}, async () => {}); };` });
    assert.equal(error.code, 'IO_ROUTE_INVALID', event);
    assert.match(error.message, /the event must be a string/);
  }
});

test('a namespace that is a pattern works with listeners of its own', async t => {
  const { open } = await startApp(t, {
    'app/router.js': `
      module.exports = app => {
        app.io.of(/^\\/room-\\d+$/).on('connection', socket => socket.on('where', ack => ack(socket.nsp.name)));
      };`,
  });
  assert.equal(await (await open('/room-7')).call('where'), '/room-7');
  assert.equal((await open('/room-x')).refused?.message, 'Invalid namespace');
});

test('an error that middleware of the socket itself passes on reaches a routed error', async t => {
  const { open, app } = await startApp(t, {
    ...RESERVED,
    'app/router.js': `${RESERVED['app/router.js']}
      const routes = module.exports;
      module.exports = app => {
        routes(app);
        app.io.on('connection', socket => socket.use((packet, next) => next(new Error('not this one'))));
      };`,
  });
  const client = await open();
  const report = next<[ReservedReport]>(app, 'reserved');
  client.send('unrouted');
  const [{ event, args }] = await report;
  assert.equal(event, 'error');
  assert.match(String(args[0]), /^Error: not this one/);
});

test('an event that no client can send is warned of', async t => {
  const events = ['connect', 'connect_error', 'newListener', 'removeListener'];
  const { logs } = await startApp(t, {
    'app/router.js': `module.exports = app => { for (const event of ${JSON.stringify(events)}) app.io.route(event, async () => {}); };`,
  });
  const lines = logs.filter(line => line.includes('IO_ROUTE_UNREACHABLE'));
  assert.equal(lines.length, events.length);
  for (const [index, event] of events.entries())
    assert.match(lines[index] ?? '', new RegExp(`^WARN .*route\\('${event}'\\) of namespace '/'`));
});

test('a namespace that is routed but not configured works, without middleware', async t => {
  const { open } = await startApp(t, {
    'config/config.default.js': `exports.io = { namespace: { '/': { connectionMiddleware: ['no'], packetMiddleware: ['no'] } } };`,
    'app/io/middleware/no.js': `module.exports = () => async () => { throw new Error('no'); };`,
    'app/router.js': `module.exports = app => { app.io.of('/news').route('say', async () => 'news'); };`,
  });
  assert.equal(await (await open('/news')).call('say'), 'news');
});

test('a namespace that is neither routed nor configured is refused, and named in the log', async t => {
  const { open, logs, logged, close } = await startApp(t, {});
  assert.equal((await open('/nowhere')).refused?.message, 'Invalid namespace');
  assert.match(await logged(/IO_NAMESPACE_UNKNOWN/), /^WARN .*: a client asked for the namespace "\/nowhere", which does not exist/);
  for (const name of ['/else', `/a\nb${'x'.repeat(500)}`]) assert.equal((await open(name)).refused?.message, 'Invalid namespace');
  await close();
  const [, counted = '', ...more] = logs.filter(line => line.includes('IO_NAMESPACE_UNKNOWN'));
  assert.match(counted, /: 2 more in the last minute, the latest: a client asked for the namespace "\/a bx{96}",/);
  assert.deepEqual(more, []);
});

const RESERVED = {
  'config/config.default.js': `exports.io = { namespace: { '/': { connectionMiddleware: ['auth'], packetMiddleware: ['mark'] } } };`,
  'app/io/middleware/auth.js': `module.exports = app => async (ctx, next) => { await next(); app.emit('after'); };`,
  'app/io/middleware/mark.js': `module.exports = app => async (ctx, next) => { app.emit('marked', ctx.packet[0]); await next(); };`,
  'app/service/greeter.js': `module.exports = app => class extends app.Service { greet() { return 'hello ' + this.ctx.socket.id; } };`,
  'app/router.js': `
    module.exports = app => {
      for (const event of ['disconnecting', 'disconnect', 'error']) {
        app.io.route(event, async function(ctx) {
          const rooms = [...ctx.socket.rooms];
          await null;
          app.emit('reserved', {
            event, args: ctx.args, packet: ctx.packet, rooms, id: ctx.id, greeting: ctx.service.greeter.greet(),
            session: typeof ctx.session, current: app.currentContext === ctx, same: this === ctx, ack: ctx.ack,
            logger: typeof ctx.logger.info, request: ctx.request.ctx === ctx,
          });
        });
      }
      app.io.route('say', async () => 'said');
    };`,
};

interface ReservedReport {
  event: string;
  args: unknown[];
  packet: unknown[];
  rooms: string[];
  id: string;
}

test('disconnecting and disconnect have a whole context with the reason, and run without packet middleware', async t => {
  const { open, app } = await startApp(t, RESERVED);
  const client = await open();
  const { id } = client;
  const reports: ReservedReport[] = [];
  const marked: unknown[] = [];
  app.on('marked', event => marked.push(event));
  const both = new Promise<void>(resolve =>
    app.on('reserved', report => {
      if (reports.push(report as ReservedReport) === 2) resolve();
    }),
  );
  client.disconnect();
  await both;
  const rest = {
    id,
    greeting: `hello ${id}`,
    session: 'object',
    current: true,
    same: true,
    ack: undefined,
    logger: 'function',
    request: true,
  };
  const reason = 'client namespace disconnect';
  assert.deepEqual(reports, [
    { ...rest, event: 'disconnecting', args: [reason], packet: ['disconnecting', reason], rooms: [id] },
    { ...rest, event: 'disconnect', args: [reason], packet: ['disconnect', reason], rooms: [] },
  ]);
  assert.deepEqual(marked, []);
});

test('a routed error is reached by errors of the connection', async t => {
  const { open, app } = await startApp(t, RESERVED);
  const client = await open();
  const report = next<[ReservedReport]>(app, 'reserved');
  // no packet of the protocol begins like this
  client.socket.io.engine.write('9nonsense');
  const [{ event, args }] = await report;
  assert.equal(event, 'error');
  assert.match(String(args[0]), /^Error: unknown packet type 9/);
});

test('a client that emits an event with the name of a reserved one reaches nothing and is told so', async t => {
  const { open, app } = await startApp(t, RESERVED);
  const client = await open();
  let fired = 0;
  const onReserved = (): number => fired++;
  app.on('reserved', onReserved);
  // the client itself does not let this one out
  await assert.rejects(client.call('error', 'boo'), { code: 'RESERVED_EVENT', message: `'error' is an event of the server` });
  client.send('error', 'boo');
  assert.equal(await client.call('say'), 'said');
  assert.deepEqual(await client.all('error'), [], 'nobody has asked');
  assert.equal(fired, 0);
  app.off('reserved', onReserved);
});

test('a client that emits error does not fire listeners of the socket either, routed or not', async t => {
  const { open, app } = await startApp(t, {
    'app/router.js': `
      module.exports = app => {
        app.io.on('connection', socket => socket.on('error', () => app.emit('fired')));
        app.io.route('say', async () => 'said');
      };`,
  });
  let fired = 0;
  app.on('fired', () => fired++);
  const client = await open();
  await assert.rejects(client.call('error', 'boo'), { code: 'RESERVED_EVENT' });
  assert.equal(await client.call('say'), 'said');
  assert.equal(fired, 0);
});

test('a reserved handler that throws is logged once, and nothing else suffers', async t => {
  const { open, logs, logged } = await startApp(t, {
    'app/router.js': `
      module.exports = app => {
        app.io.route('disconnect', async () => { throw new Error('too late'); });
        app.io.route('say', async () => 'said');
      };`,
  });
  const client = await open();
  const { id } = client;
  client.disconnect();
  const line = await logged(/too late/);
  assert.ok(line.startsWith(`ERROR [egg-socket.io] event "disconnect" failed, namespace /, socket ${id}: Error: too late`), line);
  assert.equal(await (await open()).call('say'), 'said');
  assert.equal(logs.filter(one => one.includes('too late')).length, 1);
});
