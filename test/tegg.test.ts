/** Decorated classes as routes: with tegg as plugins on egg 3 and egg 4, and with egg 4.1, which has it. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { bootError, type Files, HOST, hostFolder, removeApp, startApp, writeApp } from './support/app';
import { next } from './support/client';
import { NO_TEGG, teggApp, teggModule } from './support/tegg';

const IMPORTS = `
  import { AccessLevel, ContextProto, Inject, Middleware, SingletonProto } from '@eggjs/tegg';
  import { IoAck, IoConnect, IoContext, IoController, IoDisconnect, IoEvent, IoMiddleware, IoNamespace, IoParam, IoSession, IoSocket, IoUser }
    from 'egg-socket.io/tegg';`;

/** tegg 3 loads files by require(). */
const TAKES_ESM = HOST === 'egg41' || 'require_module' in process.features;

const NO_ESM_APPS = 'egg 3 has no apps of ESM, and tegg 3 needs require() of ESM, which this Node does not have';

const CONTRACT = `
  import { defineContract } from 'egg-socket.io/contract';
  import * as z from 'zod';
  export const chat = defineContract({
    namespace: '/contract',
    client: {
      say: { args: [z.string().max(5)], ack: z.object({ length: z.number() }) },
      'room:say': { args: [z.string()], ack: z.string() },
      wrong: { ack: z.number() },
    },
    server: { said: { args: [z.string()] } },
  });`;

/** All that classes can do, in one app. */
const APP: Files = teggApp({
  'config/config.default.js': `exports.io = { namespace: { '/chat': { packetMiddleware: ['outer'], connectionMiddleware: ['guard'] } } };`,
  'app/io/middleware/outer.js': `module.exports = () => async (ctx, next) => { ctx.trace = ['outer']; await next(); };`,
  'app/io/middleware/guard.js': `module.exports = () => async (ctx, next) => {
    if (ctx.handshake.query.user) ctx.socket.user = ctx.handshake.query.user;
    await next();
  };`,
  'app/io/middleware/named.js': `module.exports = () => async (ctx, next) => { ctx.trace.push('named'); await next(); };`,
  'app/router.js': `module.exports = app => { app.io.of('/chat').route('plain', async ctx => 'a route'); };`,
  ...teggModule('words', {
    'words.ts': `${IMPORTS}
      let made = 0;
      @SingletonProto({ accessLevel: AccessLevel.PUBLIC })
      export class Words {
        @Inject() private readonly io;
        @IoNamespace('/chat') private readonly chat;
        count(text: string) { return text.split(' ').length; }
        tell(text: string) { this.chat.emit('told', text, this.io.of('/chat') === this.chat); }
      }
      @ContextProto({ accessLevel: AccessLevel.PUBLIC })
      export class Basket { readonly items: string[] = []; readonly number = ++made; }
      @ContextProto({ accessLevel: AccessLevel.PUBLIC })
      export class Order { @Inject() private readonly basket; list() { return this.basket.items; } }`,
  }),
  ...teggModule('chat', {
    'chat.ts': `${IMPORTS}
      const mark = (name: string) => async (ctx, next) => { ctx.trace.push(name); await next(); };
      class Base { @IoEvent() async inherited() { return this.constructor.name; } }

      @IoController('/chat')
      @IoMiddleware(mark('class'), 'named')
      export class ChatController extends Base {
        @Inject() private readonly words;
        @IoEvent() async count(text: string) { return this.words.count(text); }
        @IoEvent('room:say') async say(text: string, @IoSocket() socket, @IoUser() user) { return [text, socket.nsp.name, user?.id]; }
        @IoEvent() async injected(a, @IoContext() ctx, @IoSession() session, @IoAck() ack) {
          return [a, ctx.packet[0], typeof session, typeof ack];
        }
        @IoEvent() async all(...args) { return args; }
        @IoEvent() later(text: string, @IoAck() ack) { setImmediate(ack, text); }
        @IoEvent() @IoMiddleware(mark('upper')) @IoMiddleware(mark('lower')) @Middleware(mark('tegg')) async trace(@IoContext() ctx) { return ctx.trace; }
        @IoEvent('sure', { acknowledge: true }) async nothing() {}
        @IoEvent() async fail() { throw Object.assign(new Error('no room'), { status: 409, code: 'FULL' }); }
        @IoEvent() async tell(text: string) { this.words.tell(text); return true; }
        @IoConnect() async entered(@IoSocket() socket) {
          if (socket.handshake.query.banned) throw new Error('banned');
          socket.emit('welcome', socket.user?.id);
        }
        @IoDisconnect() async left(reason: string, @IoContext() ctx) { ctx.app.emit('left', reason, ctx.socket.id); }
      }

      @IoController('/room-{id}')
      export class RoomController { @IoEvent() async where(@IoParam('id') id: string) { return id; } }`,
  }),
  'app/controller/basket.ts': `${IMPORTS}
    @ContextProto()
    @IoController('/basket')
    export class BasketController {
      @Inject() private readonly basket;
      @Inject() private readonly order;
      @IoEvent() async add(item: string) { this.basket.items.push(item); return [this.order.list().length, this.basket.number]; }
      @IoConnect() async enter(@IoSocket() socket) { socket.data.basket = this.basket.number; }
      @IoEvent() async own(@IoSocket() socket) { return socket.data.basket === this.basket.number; }
      @IoEvent() async object(@IoContext() ctx) { return (await ctx.app.getEggObject(BasketController)) === this; }
    }

    @IoController('/basket')
    export class SharedController {
      @Inject() private readonly basket;
      @IoEvent() async share(item: string) { this.basket.items.push(item); return this.basket.items; }
    }`,
  'app/contract.ts': CONTRACT,
  'app/controller/contract.ts': `${IMPORTS}
    import { chat } from '../contract';
    @IoController(chat)
    export class ContractController {
      @IoNamespace(chat) private readonly chat;
      @IoEvent() async say(text: string, @IoSocket() socket) { this.chat.emit('said', text); return { length: text.length }; }
      @IoEvent(chat, 'room:say') async sayInRoom(text: string) { return text; }
      @IoEvent() async wrong() { return 'no number'; }
    }`,
  ...(TAKES_ESM
    ? teggModule(
        'esm',
        {
          'esm.ts': `${IMPORTS}
            @IoController('/esm')
            export class EsmController { @Inject() private readonly words; @IoEvent() async count(text: string) { return this.words.count(text); } }`,
        },
        'module',
      )
    : {}),
  ...teggModule('standard', {
    'standard.ts': `// standard decorators
      import { IoController, IoEvent, IoMiddleware } from 'egg-socket.io/tegg';
      @IoController('/standard')
      @IoMiddleware(async (ctx, next) => { ctx.seen = true; await next(); })
      export class StandardController {
        @IoEvent() async echo(text: string) { return text; }
        @IoEvent('a:b') async other() { return 'other'; }
      }`,
  }),
});

test('decorated classes are routes', async t => {
  const app = await startApp(t, APP);
  const { open } = app;
  const chat = await open('/chat', { query: { user: 'ada' } });

  await t.test('with arguments, injected parameters, acknowledgements and what the class injects', async () => {
    assert.equal(await chat.call('plain'), 'a route');
    assert.equal(await chat.call('count', 'one two three'), 3);
    assert.deepEqual(await chat.call('room:say', 'hi'), ['hi', '/chat', 'ada']);
    assert.deepEqual(await chat.call('injected', 1), [1, 'injected', 'object', 'function']);
    assert.deepEqual(await chat.call('injected'), [null, 'injected', 'object', 'function']);
    assert.deepEqual(await chat.call('all', 1, 'two'), [1, 'two']);
    assert.equal(await chat.call('later', 'soon'), 'soon');
    assert.equal(await chat.call('sure'), null);
    assert.equal(await chat.call('inherited'), 'ChatController');
    await assert.rejects(chat.call('fail'), { code: 'FULL', message: 'no room' });
  });

  await t.test('with middleware of the config, of the class and of the method, in this order', async () => {
    assert.deepEqual(await chat.call('trace'), ['outer', 'class', 'named', 'tegg', 'upper', 'lower']);
  });

  await t.test('with an injected namespace, anywhere', async () => {
    assert.equal(await chat.call('tell', 'news'), true);
    assert.deepEqual(await chat.next('told'), ['news', true]);
  });

  await t.test('when clients connect and leave', async () => {
    const client = await open('/chat', { query: { user: 'bob' } });
    assert.deepEqual(await client.next('welcome'), ['bob']);
    const { id } = client;
    const left = next(app.app, 'left');
    client.disconnect();
    assert.deepEqual(await left, ['client namespace disconnect', id]);
    assert.equal((await open('/chat', { query: { banned: '1' } })).refused?.message, 'banned');
  });

  await t.test('with an object for each packet, if the class or what it injects belongs to the packet', async () => {
    const basket = await open('/basket');
    const [count, first] = (await basket.call('add', 'tea')) as number[];
    assert.deepEqual(await basket.call('add', 'tea'), [count, Number(first) + 1]);
    assert.equal(count, 1);
    assert.equal(await basket.call('own'), false);
    assert.equal(await basket.call('object'), true);
    assert.deepEqual(await basket.call('share', 'tea'), ['tea']);
    assert.deepEqual(await basket.call('share', 'milk'), ['milk']);
  });

  await t.test('with a contract', async () => {
    const client = await open('/contract');
    assert.deepEqual(await client.call('say', 'hello'), { length: 5 });
    assert.deepEqual(await client.next('said'), ['hello']);
    await assert.rejects(client.call('say', 'too long'), { code: 'INVALID_ARGUMENT' });
    await assert.rejects(client.call('wrong'), { code: 'INTERNAL_SERVER_ERROR' });
    assert.equal(await client.call('room:say', 'hi'), 'hi');
  });

  await t.test('with a pattern, with decorators of the standard, and as ESM', async () => {
    assert.equal(await (await open('/room-7')).call('where'), '7');
    const standard = await open('/standard');
    assert.equal(await standard.call('echo', 'hi'), 'hi');
    assert.equal(await standard.call('a:b'), 'other');
    if (TAKES_ESM) assert.equal(await (await open('/esm')).call('count', 'one two'), 2);
  });
});

test('decorated classes in an app whose files are all ESM', { skip: TAKES_ESM && HOST !== 'egg3' ? false : NO_ESM_APPS }, async t => {
  const files = teggApp({
    'app/package.json': JSON.stringify({ type: 'module' }),
    'app/router.js': `export default app => { app.io.of('/chat').route('plain', async () => 'a route'); };`,
    'app/io/middleware/named.js': `export default () => async (ctx, next) => { ctx.seen = 'named'; await next(); };`,
    ...teggModule(
      'words',
      {
        'words.ts': `${IMPORTS}
          @ContextProto({ accessLevel: AccessLevel.PUBLIC })
          export class Words { count(text: string) { return text.split(' ').length; } }`,
      },
      'module',
    ),
    'app/controller/chat.ts': `${IMPORTS}
      @IoController('/chat')
      export class ChatController {
        @Inject() private readonly words;
        @IoEvent() @IoMiddleware('named') async count(text: string, @IoContext() ctx) { return [this.words.count(text), ctx.seen]; }
      }`,
  });
  const chat = await (await startApp(t, files)).open('/chat');
  assert.equal(await chat.call('plain'), 'a route');
  assert.deepEqual(await chat.call('count', 'one two'), [2, 'named']);
});

/** Why an app does not boot. */
async function refusalOf(t: TestContext, files: Files): Promise<string> {
  const error = await bootError(t, files);
  return `${error.code}: ${error.message}`;
}

/** Those of one class in a module. */
const MISTAKES: { title: string; code: string; error: RegExp; files?: Files }[] = [
  {
    title: 'a method without an event',
    code: `@IoController('/chat') export class Chat { @IoEvent() a() {} @IoMiddleware('x') b() {} }`,
    error: /IO_TEGG_CLASS_INVALID: .*Chat in .*bad\.js: b\(\): it has decorators, and no event; add @IoEvent\(\)/,
  },
  {
    title: 'a class without a namespace',
    code: `@IoController() export class Chat { @IoEvent() a() {} }`,
    error: /IO_TEGG_CLASS_INVALID: .*@IoController\(\) has no namespace; give it a name/,
  },
  {
    title: 'a class without @IoController',
    code: `@SingletonProto() export class Chat { @IoEvent() a() {} }`,
    error: /IO_TEGG_CLASS_INVALID: .*Chat in .*the class has none: add @IoController/,
  },
  {
    title: 'two methods for an event',
    code: `@IoController('/chat') export class Chat { @IoEvent() a() {} } @IoController('chat') export class Other { @IoEvent('a') b() {} }`,
    error:
      /IO_ROUTE_DUPLICATE: .*event 'a' of namespace '\/chat' has two handlers: (Chat|Other) in .*bad\.js\.[ab]\(\) and (Chat|Other) in .*bad\.js\.[ab]\(\)/,
  },
  {
    title: 'two methods of a class for an event',
    code: `@IoController('/chat') export class Chat { @IoEvent('a') one() {} @IoEvent('a') two() {} }`,
    error:
      /IO_ROUTE_DUPLICATE: .*event 'a' of namespace '\/chat' has two handlers: Chat in .*bad\.js\.two\(\) and Chat in .*bad\.js\.one\(\)/,
  },
  {
    title: 'a method and a route for an event',
    code: `@IoController('/') export class Chat { @IoEvent() a() {} }`,
    files: { 'app/router.js': `module.exports = app => app.io.route('a', () => {});` },
    error: /IO_ROUTE_DUPLICATE: .*Chat in .*bad\.js\.a\(\) and a route in app\/router\.js/,
  },
  {
    title: 'a decorated parameter before an argument',
    code: `@IoController('/') export class Chat { @IoEvent() a(@IoSocket() socket, text) {} }`,
    error: /IO_TEGG_CLASS_INVALID: .*a\(\): parameter 1 has a decorator; the arguments of the event come first/,
  },
  {
    title: 'a decorated parameter before the reason of a disconnect',
    code: `@IoController('/') export class Chat { @IoDisconnect() a(@IoSocket() socket, reason) {} }`,
    error: /IO_TEGG_CLASS_INVALID: .*a\(\): parameter 1 has a decorator; the arguments of the event come first/,
  },
  {
    title: 'an argument of a method that runs when a client connects',
    code: `@IoController('/') export class Chat { @IoConnect() enter(socket) {} }`,
    error:
      /IO_TEGG_CLASS_INVALID: .*enter\(\): it takes 1 arguments, and a connection has 0; parameters after these need a decorator, such as @IoSocket\(\)/,
  },
  {
    title: 'more arguments than the event of the contract has',
    code: `import { chat } from '../../contract';
      @IoController(chat) export class Chat { @IoEvent() say(text, socket) {} }`,
    files: { 'app/contract.ts': CONTRACT },
    error:
      /IO_TEGG_CLASS_INVALID: .*say\(\): it takes 2 arguments, and the contract has 1; parameters after these need a decorator, such as @IoSocket\(\)/,
  },
  {
    title: 'an injected parameter in place of an argument of the contract',
    code: `import { chat } from '../../contract';
      @IoController(chat) export class Chat { @IoEvent() say(@IoSocket() socket) {} }`,
    files: { 'app/contract.ts': CONTRACT },
    error:
      /IO_TEGG_CLASS_INVALID: .*say\(\): it takes 0 of the 1 arguments of the contract before its injected parameters; name all of them/,
  },
  {
    title: 'an event of another contract',
    code: `import { chat } from '../../contract';
      import { defineContract } from 'egg-socket.io/contract';
      const other = defineContract({ namespace: '/other', client: { say: {} } });
      @IoController(chat) export class Chat { @IoEvent(other, 'say') say() {} }`,
    files: { 'app/contract.ts': CONTRACT },
    error:
      /IO_TEGG_CLASS_INVALID: .*say\(\): @IoEvent\(contract, 'say'\) has another contract than @IoController\(\); give both the same one/,
  },
  {
    title: 'a static method with an event',
    code: `@IoController('/') export class Chat { @IoEvent() static a() {} }`,
    error: /IO_TEGG_CLASS_INVALID: .*a is static; decorate methods of objects/,
  },
  {
    title: 'a property with an event',
    code: `@IoController('/') export class Chat { @IoEvent() a = () => {}; }`,
    error: /IO_TEGG_CLASS_INVALID: .*a\(\): it is no method; decorate methods alone/,
  },
  {
    title: 'an unknown middleware',
    code: `@IoController('/') export class Chat { @IoEvent() @IoMiddleware('auht') a() {} }`,
    error: /IO_MIDDLEWARE_UNKNOWN: .*auht/,
  },
  {
    title: 'an event with another name than its method, without the contract that has it,',
    code: `import { chat } from '../../contract';
      @IoController(chat) export class Chat { @IoEvent('room:say') sayInRoom() {} }`,
    files: { 'app/contract.ts': CONTRACT },
    error:
      /IO_TEGG_CLASS_INVALID: .*sayInRoom\(\): the compiler cannot check it by @IoEvent\('room:say'\); write @IoEvent\(contract, 'room:say'\)/,
  },
  {
    title: 'an event that the contract does not have',
    code: `import { chat } from '../../contract';
      @IoController(chat) export class Chat { @IoEvent() sya() {} }`,
    files: { 'app/contract.ts': CONTRACT },
    error: /IO_TEGG_CLASS_INVALID: .*Chat in .*bad\.js\.sya\(\): the contract has no event 'sya'; it has say, room:say, wrong/,
  },
  {
    title: 'a class that is not exported',
    code: `@IoController('/') class Chat { @IoEvent() a() {} } @SingletonProto() export class Other {}`,
    error: /IO_TEGG_CLASS_LOST: .*tegg has not found Chat in .*bad\.js; export it/,
  },
];

for (const { title, code, error, files } of MISTAKES)
  test(`${title} stops the boot`, async t => {
    const refusal = await refusalOf(t, teggApp({ ...teggModule('bad', { 'bad.ts': `${IMPORTS}\n${code}` }), ...files }));
    assert.match(refusal, error);
  });

for (const [title, path, place] of [
  ['a decorated class', 'app/controller/chat.ts', '.*ChatController in .*chat\\.js'],
  ['a decorated class in a module, which nothing loads then,', 'app/module/chat/lib/chat.ts', 'app/module/chat/lib/chat\\.js'],
] as const)
  test(`${title} stops the boot if tegg is off`, async t => {
    const code = `import { IoController, IoEvent } from 'egg-socket.io/tegg';
      @IoController('/chat') export class ChatController { @IoEvent() a() {} }`;
    const refusal = await refusalOf(t, teggApp({ [path]: code }, NO_TEGG));
    assert.match(refusal, new RegExp(`IO_TEGG_OFF: ${place} has decorators.*turn on the plugins teggConfig, tegg and teggController`));
  });

test('an app without tegg starts if its modules only mention the decorators, also with a link that leads nowhere', async t => {
  const { io } = await startApp(
    t,
    teggApp(
      {
        ...teggModule('chat', {}),
        'app/module/chat/notes.js': `// import { IoController } from 'egg-socket.io/tegg';
          /* until then, as without
           * const { IoEvent } = require('egg-socket.io/tegg');
           */
/*
const { IoParam } = require('egg-socket.io/tegg');
*/
          exports.docs = 'see egg-socket.io/tegg';`,
        'app/module/chat/node_modules/other/index.js': `const { IoEvent } = require('egg-socket.io/tegg');`,
        'app.js': `require('node:fs').symlinkSync('nowhere.js', \`\${__dirname}/app/module/chat/gone.js\`);`,
      },
      NO_TEGG,
    ),
  );
  assert.ok(io);
});

test('an injected name that there is not stops the boot with an error of tegg, and the log says who injects it', async t => {
  const files = teggApp({
    ...teggModule('bad', {
      'bad.ts': `${IMPORTS} @IoController('/chat') export class Chat { @Inject() private readonly wrods; @IoEvent() a() {} }`,
    }),
    'config/config.default.js': `exports.logger.consoleLevel = 'ERROR';`,
  });
  // in a process of its own: tegg leaves rejections that nobody handles
  const { output, code } = await failedBoot(t, files);
  assert.match(output, /TEGG_EGG_PROTO_NOT_FOUND/);
  assert.match(
    output,
    /IO_TEGG_INJECT_UNKNOWN: .*Chat in .*bad\.js injects 'wrods', which tegg does not know; export a class of this name/,
  );
  assert.equal(output.match(/IO_TEGG_INJECT_UNKNOWN/g)?.length, 1);
  assert.notEqual(code, 0);
});

/** Starts an app in a process of its own. What the process has printed, and how it has ended. */
async function failedBoot(t: TestContext, files: Files): Promise<{ output: string; code: number | null }> {
  const framework = join(hostFolder(), 'node_modules/egg');
  const start = `import * as egg from 'egg';
    const baseDir = import.meta.dirname ?? new URL('.', import.meta.url).pathname.slice(0, -1);
    egg.start({ baseDir, framework: ${JSON.stringify(framework)} }).catch(error => { console.error(error.code); process.exit(1); });`;
  const baseDir = await writeApp({ ...files, 'start.mjs': start });
  t.after(() => removeApp(baseDir));
  const { stdout, stderr, status } = spawnSync(process.execPath, [join(baseDir, 'start.mjs')], { encoding: 'utf8', timeout: 30_000 });
  return { output: stdout + stderr, code: status };
}
