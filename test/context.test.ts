/** What a handler has at hand, and that it is its own. */
import assert from 'node:assert/strict';
import { type IncomingMessage, request } from 'node:http';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { startApp } from './support/app';
import { type ClientVersion, connect, next } from './support/client';
import { RawClient } from './support/raw';

test('a controller has service, helper, logger, app, session and what the app adds to its contexts', async t => {
  const { open, logged } = await startApp(t, {
    'app/service/greeter.js': `
      module.exports = app => class extends app.Service {
        async greet(name) { await null; return 'hello ' + name + ' on ' + this.ctx.socket.id; }
      };`,
    'app/extend/helper.js': `exports.shout = function(text) { return text.toUpperCase() + this.ctx.args[0]; };`,
    'app/extend/context.js': `
      const KEY = Symbol('user');
      module.exports = {
        get user() { return (this[KEY] ??= { name: this.args[0], socket: this.socket.id }); },
        rename(name) { this.user.name = name; return this; },
      };`,
    'app/router.js': `
      module.exports = app => {
        app.io.route('all', async ctx => {
          ctx.logger.info('logged by %s', ctx.args[0]);
          return {
            service: await ctx.service.greeter.greet('you'),
            helper: ctx.helper.shout('hey'),
            user: ctx.rename('renamed').user,
            app: ctx.app === app,
            session: typeof ctx.session,
            keys: ctx.app.config.keys,
          };
        });
      };`,
  });
  const client = await open();
  assert.deepEqual(await client.call('all', 'me'), {
    service: `hello you on ${client.id}`,
    helper: 'HEYme',
    user: { name: 'renamed', socket: client.id },
    app: true,
    session: 'object',
    keys: 'test-keys',
  });
  await logged(/^INFO logged by me/);
});

test('ctx.request and ctx.response are the packet’s own, over the request of the handshake', async t => {
  const { open } = await startApp(t, {
    'app/extend/request.js': `module.exports = { get shopping() { return this.get('x-shopping') + this.ctx.args[0]; } };`,
    'app/router.js': `
      module.exports = app => {
        const seen = new Set();
        app.io.route('request', async ctx => {
          const { request, response } = ctx;
          const isNew = !seen.has(request) && !seen.has(response);
          seen.add(request).add(response);
          response.status = 201;
          return {
            isNew, ctx: request.ctx === ctx && response.ctx === ctx, same: ctx.request === request && ctx.response === response,
            req: request.req === ctx.req && Object.getPrototypeOf(ctx.req) === ctx.socket.request, res: request.res === ctx.res && response.res === ctx.res,
            each: request.response === response && response.request === request, app: request.app === app && response.app === app,
            header: ctx.get('x-shopping'), extension: request.shopping, query: ctx.query.from, path: ctx.path, method: ctx.method,
            ip: ctx.ip, host: ctx.host.split(':')[0], status: ctx.status, cookie: ctx.cookies.get('plain', { signed: false }),
          };
        });
      };`,
  });
  const client = await open('/', { extraHeaders: { 'x-shopping': 'bag', cookie: 'plain=biscuit' }, query: { from: 'here' } });
  const expected = {
    ...{ isNew: true, ctx: true, same: true, req: true, res: true, each: true, app: true },
    ...{
      header: 'bag',
      query: 'here',
      path: '/socket.io/',
      method: 'GET',
      ip: '127.0.0.1',
      host: '127.0.0.1',
      status: 201,
      cookie: 'biscuit',
    },
  };
  assert.deepEqual(await client.call('request', 1), { ...expected, extension: 'bag1' });
  assert.deepEqual(await client.call('request', 2), { ...expected, extension: 'bag2' });
});

test('the shorthands of a context are those of its socket, and live on a shared prototype', async t => {
  const { open } = await startApp(t, {
    'app/router.js': `
      const PROPERTIES = ['client', 'server', 'adapter', 'id', 'conn', 'rooms', 'acks', 'connected', 'disconnected', 'handshake'];
      const METHODS = ['join', 'leave', 'emit', 'to', 'in', 'send', 'write', 'disconnect'];
      const FLAGS = ['json', 'volatile', 'broadcast'];
      module.exports = app => {
        app.io.route('properties', async ctx => PROPERTIES.filter(name => ctx[name] !== ctx.socket[name] || ctx[name] === undefined));
        app.io.route('methods', async ctx => METHODS.filter(name => typeof ctx[name] !== 'function'));
        app.io.route('own', async ctx => [...PROPERTIES, ...METHODS, ...FLAGS].filter(name => Object.hasOwn(ctx, name)));
        app.io.route('flags', async ctx => FLAGS.filter(name => typeof ctx[name].emit !== 'function'));
        app.io.route('address', async ctx => [ctx.socket.remoteAddress, ctx.socket.handshake.address]);
        app.io.route('join', async ctx => { await ctx.join('room'); return [...ctx.rooms]; });
        app.io.route('leave', async ctx => { await ctx.leave('room'); return [...ctx.rooms]; });
        app.io.route('say', async ctx => {
          ctx.emit('heard', 'emit');
          ctx.send('send');
          ctx.write('write');
          ctx.json.emit('heard', 'json');
          ctx.broadcast.emit('heard', 'broadcast');
          ctx.to('room').emit('heard', 'to');
          ctx.in('room').emit('heard', 'in');
          ctx.to('nowhere').emit('heard', 'nowhere');
        });
        app.io.route('volatile', async ctx => { ctx.volatile.emit('volatile'); });
        app.io.route('disconnect me', async ctx => { ctx.disconnect(); });
      };`,
  });
  const [client, other] = [await open(), await open()];
  for (const check of ['properties', 'methods', 'own', 'flags']) assert.deepEqual(await client.call(check), [], check);
  const [address, handshakeAddress] = (await client.call('address')) as string[];
  assert.match(address ?? '', /127\.0\.0\.1$/);
  assert.equal(address, handshakeAddress);
  assert.deepEqual(await client.call('join'), [client.id, 'room']);
  assert.deepEqual(await client.call('leave'), [client.id]);
  await other.call('join');
  client.send('say');
  await client.call('own');
  assert.deepEqual(await client.all('heard'), [['emit'], ['json']]);
  assert.deepEqual(await client.all('message'), [['send'], ['write']]);
  assert.deepEqual(await other.all('heard'), [['broadcast'], ['to'], ['in']]);
  client.send('volatile');
  await client.next('volatile');
  client.send('disconnect me');
  assert.equal(await client.gone(), 'io server disconnect');
});

test('contexts of concurrent packets never see each other’s state, service, helper, logger, session setter or arguments', async t => {
  const { open, logs } = await startApp(t, {
    'config/config.default.js': `exports.io = { namespace: { '/': { packetMiddleware: ['mark'], connectionMiddleware: ['touch'] } } };`,
    // the connection's own context is touched in every lazy part first
    'app/io/middleware/touch.js': `
      module.exports = app => async (ctx, next) => {
        ctx.state.n = 'connection'; ctx.body = 'connection'; ctx.service.who.is(); ctx.helper.who(); ctx.logger; ctx.cookies; ctx.request; ctx.response; ctx.own = 'connection';
        await next();
      };`,
    'app/io/middleware/mark.js': `
      module.exports = app => {
        const waiting = [];
        return async (ctx, next) => {
          const before = [ctx.state.n, ctx.own, ctx.body];
          ctx.state.n = ctx.own = ctx.args[0];
          ctx.state.before = before;
          ctx.service; ctx.helper;
          await new Promise(resolve => { waiting.unshift(resolve); if (waiting.length === 10) for (const free of waiting) free(); });
          await next();
        };
      };`,
    'app/service/who.js': `module.exports = app => class extends app.Service { is() { return this.ctx.args[0]; } };`,
    'app/extend/helper.js': `exports.who = function() { return this.ctx.args[0]; };`,
    'app/router.js': `
      module.exports = app => {
        app.io.route('who', async ctx => {
          const [n] = ctx.args;
          ctx.logger.info('I am %d', n);
          await new Promise(resolve => setImmediate(resolve));
          return [ctx.state.n, ctx.own, ctx.service.who.is(), ctx.helper.who(), ctx.args[0], ctx.request.ctx.args[0], app.currentContext.args[0], ctx.state.before];
        });
      };`,
  });
  const clients = [await open(), await open()];
  const numbers = Array.from({ length: 10 }, (_, n) => n);
  assert.deepEqual(
    await Promise.all(numbers.map(async n => clients[n % 2]?.call('who', n))),
    numbers.map(n => [n, n, n, n, n, n, n, [null, null, null]]),
  );
  assert.deepEqual(
    logs
      .filter(line => line.includes('I am'))
      .map(line => line.at(-1))
      .sort(),
    numbers.map(String),
  );
});

test('app.currentContext is the packet’s in middleware, controllers and services, across awaits, and the connection’s in its middleware', async t => {
  const { open, app } = await startApp(t, {
    'config/config.default.js': `exports.io = { namespace: { '/': { connectionMiddleware: ['around'], packetMiddleware: ['mark'] } } };`,
    'app/io/middleware/around.js': `
      module.exports = app => async (ctx, next) => {
        const trace = [app.currentContext === ctx];
        await null;
        trace.push(app.currentContext === ctx);
        await next();
        trace.push(app.currentContext === ctx);
        app.emit('around', trace);
      };`,
    'app/io/middleware/mark.js': `
      module.exports = app => async (ctx, next) => {
        await null;
        ctx.trace = [app.currentContext === ctx];
        await next();
        ctx.trace.push(app.currentContext === ctx);
        ctx.ack(ctx.trace);
      };`,
    'app/service/current.js': `
      module.exports = app => class extends app.Service {
        async get() { await new Promise(resolve => setImmediate(resolve)); return this.app.currentContext === this.ctx; }
      };`,
    'app/router.js': `
      module.exports = app => {
        app.io.route('current', async ctx => {
          ctx.trace.push(app.currentContext === ctx);
          await new Promise(resolve => setImmediate(resolve));
          ctx.trace.push(app.currentContext === ctx, await ctx.service.current.get());
        });
      };`,
  });
  const client = await open();
  assert.deepEqual(await client.call('current'), [true, true, true, true, true]);
  const around = next(app, 'around');
  client.disconnect();
  assert.deepEqual(await around, [[true, true, true]]);
});

test('ctx.args ends with the acknowledgement function where the client asked for one, and only there', async t => {
  const { url } = await startApp(t, {
    'app/router.js': `
      module.exports = app => { app.io.route('args', async ctx => { ctx.emit('args', ctx.args.map(one => typeof one)); }); };`,
  });
  for (const version of [2, 3, 4] satisfies ClientVersion[]) {
    const client = await connect(t, url, {}, version);
    const first = next(client, 'args');
    client.emit('args', 1, 'two');
    assert.deepEqual(await first, [['number', 'string']]);
    const second = next(client, 'args');
    client.emit('args', 1, 'two', () => {});
    assert.deepEqual(await second, [['number', 'string', 'function']]);
  }
});

test('the contexts of HTTP requests are untouched', async t => {
  const { open, url } = await startApp(t, {
    'app/router.js': `
      module.exports = app => {
        app.io.route('touch', async ctx => { ctx.request.x = ctx.response.x = ctx.x = 1; return Object.keys(ctx.request).length > 0; });
        app.router.get('/', async ctx => {
          ctx.body = ['emit', 'join', 'rooms', 'packet', 'args', 'ack', 'id', 'x'].filter(name => name in ctx || name in ctx.request);
        });
      };`,
  });
  await (await open()).call('touch');
  assert.deepEqual(await (await fetch(url)).json(), []);
});

test('what one packet writes to its request is not seen by the next, and a proxy of a context works', async t => {
  const { open } = await startApp(t, {
    'app/router.js': `
      module.exports = app => {
        app.io.route('spoil', async ctx => { ctx.query = { spoilt: 'yes' }; ctx.url = '/else'; return [ctx.url, ctx.originalUrl, ctx.request.originalUrl]; });
        app.io.route('look', async ctx => [ctx.url === ctx.originalUrl, ctx.query.spoilt ?? null, new Proxy(ctx, {}).args[0], Object.create(ctx).args[0]]);
      };`,
  });
  const client = await open();
  const [written, ...original] = (await client.call('spoil')) as string[];
  assert.equal(written, '/else');
  for (const url of original) assert.match(url, /^\/socket\.io\/\?EIO=4&/);
  assert.deepEqual(await client.call('look', 1), [true, null, 1, 1]);
});

test('behind a proxy that says ws or wss of a WebSocket, ctx.protocol is http or https', async t => {
  const { open } = await startApp(t, {
    'config/config.default.js': 'exports.proxy = true;',
    'app/io/controller/chat.js': `
      exports.where = async ctx => [ctx.protocol, ctx.request.protocol, ctx.secure, ctx.origin.split(':')[0], ctx.href.split(':')[0]];`,
    'app/router.js': `module.exports = app => { app.io.route('where', app.io.controller.chat.where); };`,
  });
  for (const [said, protocol] of Object.entries({ ws: 'http', wss: 'https', http: 'http', https: 'https', 'wss, ws': 'https' })) {
    const client = await open('/', { extraHeaders: { 'x-forwarded-proto': said } });
    assert.deepEqual(await client.call('where'), [protocol, protocol, protocol === 'https', protocol, protocol], said);
  }
});

test('the locale of egg-i18n is kept for the connection', async t => {
  const { open } = await startApp(t, {
    'config/config.default.js': `exports.i18n = { defaultLocale: 'en-US' };`,
    'config/locale/en-US.js': `module.exports = { hello: 'Hello %s' };`,
    'config/locale/zh-CN.js': `module.exports = { hello: '你好 %s' };`,
    'app/router.js': `
      module.exports = app => {
        app.io.route('hello', async ctx => [ctx.__('hello', ctx.args[0]), ctx.locale, ctx.response.get('set-cookie') || null]);
        app.io.route('speak', async ctx => { ctx.locale = ctx.args[0]; return ctx.locale; });
      };`,
  });
  const client = await open('/', { extraHeaders: { 'accept-language': 'zh-CN' } });
  const other = await open('/', { query: { locale: 'zh-CN' } });
  assert.deepEqual(await client.call('hello', 'Ada'), ['你好 Ada', 'zh-cn', null]);
  assert.equal(await client.call('speak', 'en-us'), 'en-us');
  assert.deepEqual(await client.call('hello', 'Ada'), ['Hello Ada', 'en-us', null]);
  assert.deepEqual(await other.call('hello', 'Bob'), ['你好 Bob', 'zh-cn', null]);
});

const RESPONDING = {
  'app/router.js': `
    module.exports = app => {
      app.io.route('respond', async ctx => {
        ctx.body = { ok: true };
        ctx.response.status = 204;
        ctx.type = 'json';
        ctx.redirect('/elsewhere');
        ctx.set('x-name', 'value');
        ctx.cookies.set('name', 'value');
        return [ctx.response.get('x-name'), ctx.response.get('location'), ctx.cookies.get('none') ?? null];
      });
    };`,
};

test('what has an effect on HTTP responses only is warned of once, with what to do instead', async t => {
  const { open, logs } = await startApp(t, RESPONDING);
  const client = await open();
  const warnings = (): string[] => logs.filter(line => line.includes('IO_RESPONSE_IGNORED'));
  assert.deepEqual(await client.call('respond'), ['value', '/elsewhere', null]);
  const lines = warnings();
  await client.call('respond');
  assert.deepEqual(warnings(), lines);
  assert.equal(lines.length, 6, lines.join('\n'));
  for (const [index, what] of [
    /ctx\.body = \.\.\. in event "respond" of namespace "\/" has no effect: return the value/,
    /ctx\.status = .* throw an IoError/,
    /ctx\.type = .* return the value/,
    /ctx\.redirect\(\) .* acknowledgement/,
    /ctx\.set\(\) .* acknowledgement/,
    /ctx\.cookies\.set\(\) .* HTTP request/,
  ].entries())
    assert.match(lines[index] ?? '', what);
});

test('the name of a namespace cannot forge a line of that warning', async t => {
  const { url, logged } = await startApp(t, {
    'app/router.js': 'module.exports = app => app.io.of(/^\\/asked/).route("respond", ctx => { ctx.body = 1; });',
  });
  const client = await RawClient.open(t, url);
  client.send('40/asked\u0085ERROR forged,');
  await client.frame(/^40/);
  client.send('42/asked\u0085ERROR forged,["respond"]');
  assert.match(await logged(/IO_RESPONSE_IGNORED/), / of namespace "\/asked ERROR forged" has no effect/);
});

test('in production nothing watches for what has an effect on HTTP responses only', async t => {
  const { open, logs } = await startApp(t, RESPONDING, { env: 'prod' });
  assert.deepEqual(await (await open()).call('respond'), ['value', '/elsewhere', null]);
  assert.deepEqual(
    logs.filter(line => line.includes('IO_RESPONSE_IGNORED')),
    [],
  );
});

test('ctx.ip of a client that polls is there when the TCP connection of its handshake has gone', async t => {
  const { server, url } = await startApp(t, {
    'app/router.js': `module.exports = app => { app.io.route('where', async ctx => ctx.ip); };`,
  });
  /** One request on a connection of its own; the server has seen that end. */
  const fetchAlone = async (address: string, body?: string): Promise<string> => {
    const closed = new Promise(resolve => server.once('connection', socket => socket.once('close', resolve)));
    const options = { agent: false, method: body === undefined ? 'GET' : 'POST' };
    const [response] = await next<[IncomingMessage]>(request(address, options).end(body), 'response');
    const answer = await text(response);
    await closed;
    return answer;
  };
  const address = `${url}/socket.io/?EIO=4&transport=polling`;
  const { sid } = JSON.parse((await fetchAlone(address)).slice(1)) as { sid: string };
  await fetchAlone(`${address}&sid=${sid}`, '40');
  await fetchAlone(`${address}&sid=${sid}`);
  await fetchAlone(`${address}&sid=${sid}`, '420["where"]');
  assert.equal(await fetchAlone(`${address}&sid=${sid}`), '430["127.0.0.1"]');
});
