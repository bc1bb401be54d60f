/** `npx egg-socket.io migrate`: each idiom of 4.1.6 that the guide names is found, and what the guide has instead is not. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { check } from '../../migrate/src/check';
import { type Effect, RULES } from '../../migrate/src/rules';
import { type Files, ROOT } from '../support/app';

const COMMAND = join(ROOT, 'migrate/dist/egg-socket.io.js');

const CONTROLLER = 'app/io/controller/chat.js';
const MIDDLEWARE = 'app/io/middleware/auth.js';
const CONFIG = 'config/config.default.js';

interface Idiom {
  name: string;
  path?: string;
  effect: Effect;
  /** Sources with one finding each. */
  old: string[];
  /** Sources without any. */
  modern: string[];
}

const IDIOMS: Idiom[] = [
  {
    name: 'await next without parentheses',
    path: MIDDLEWARE,
    effect: 'breaks',
    old: ['module.exports = app => async (ctx, next) => { await next; };'],
    modern: [
      'module.exports = app => async (ctx, next) => { await next(); };',
      'async function load() { const next = later(); return await next; }',
    ],
  },
  {
    name: 'an error that next() gets',
    path: MIDDLEWARE,
    effect: 'breaks',
    old: [
      "module.exports = app => async (ctx, next) => { if (!ctx.session.user) return next(new Error('Sign in')); await next(); };",
      'module.exports = app => (ctx, next) => check(ctx).then(() => next(), err => next(err));',
    ],
    modern: [
      'module.exports = app => async (ctx, next) => { await next(); };',
      'module.exports = app => (ctx, next) => { const user = 1; return next(user); };',
    ],
  },
  {
    name: 'middleware that may return without next()',
    path: MIDDLEWARE,
    effect: 'look',
    old: [
      'module.exports = app => async (ctx, next) => { if (!ctx.session.user) return; await next(); };',
      'module.exports = app => async (ctx, next) => { ctx.logger.info("in"); };',
      'module.exports = () => function (ctx, next) { if (ctx.x) { return false } return next(); };',
    ],
    modern: [
      'module.exports = app => async (ctx, next) => { if (!ctx.session.user) throw new Error("no"); await next(); };',
      'module.exports = app => async (ctx, next) => { const find = () => { return 1; }; await next(); return find(); };',
      'module.exports = app => (ctx, next) => { return next().then(() => 1); };',
      'module.exports = app => async (ctx, next) => { if (no) { ctx.socket.disconnect(); return; } await next(); };',
      'module.exports = app => async (ctx, next) => { if (no) return ctx.disconnect(true); await next(); };',
    ],
  },
  {
    name: 'a reason that is emitted to a client which is refused',
    path: MIDDLEWARE,
    effect: 'look',
    old: [
      'module.exports = app => async (ctx, next) => { if (no) { ctx.socket.emit("deny", "go"); ctx.socket.disconnect(); } await next(); };',
      'module.exports = app => { return async (ctx, next) => { const { socket } = ctx; if (no) { socket.emit("deny"); tell(); socket.disconnect(true); } await next(); }; };',
    ],
    modern: ['module.exports = app => async (ctx, next) => { ctx.socket.emit("res", "hi"); await next(); };'],
  },
  {
    name: 'generators',
    path: CONTROLLER,
    effect: 'look',
    old: ['exports.ping = function* () { yield 1; };', 'module.exports = app => class extends app.Controller { *ping() {} };'],
    modern: ['exports.ping = async function () { await 1; };'],
  },
  {
    name: 'return of emit()',
    path: CONTROLLER,
    effect: 'breaks',
    old: [
      'exports.say = async ctx => { return ctx.socket.emit("said"); };',
      'exports.say = async ctx => ctx.socket.emit("said");',
      'exports.say = async function () { return this.socket.to("a").emit("said"); };',
      'module.exports = app => class extends app.Controller { async say() { const { socket } = this.ctx; return await socket.emit("said"); } };',
      'exports.say = ctx => { return ctx.app.io.of("/chat").emit("said"); };',
      'exports.say = async ctx => { return ctx.emit("said"); };',
    ],
    modern: [
      'exports.say = async ctx => { ctx.socket.emit("said"); };',
      'exports.say = async ctx => { names.forEach(name => ctx.socket.emit("said", name)); };',
      'exports.say = async ctx => { return ctx.socket.timeout(100).emitWithAck("said"); };',
    ],
  },
  {
    name: 'arguments at the request',
    effect: 'breaks',
    old: [
      'const [a] = ctx.req.args;',
      'const a = this.ctx.req.args[0];',
      'const { req } = ctx; use(req.args);',
      'const { args } = ctx.req;',
    ],
    modern: ['const [a] = ctx.args;', 'use(command.args);', 'const { args } = ctx;', 'use({ args: ctx.args });'],
  },
  {
    name: 'the client at the request',
    path: CONTROLLER,
    effect: 'breaks',
    old: ['exports.a = async ctx => { ctx.req.socket.emit("a"); };', 'exports.a = async ctx => { use(ctx.socket.request.socket); };'],
    modern: ['exports.a = async ctx => { ctx.socket.emit("a"); };'],
  },
  {
    name: 'the context at the end of the packet',
    path: MIDDLEWARE,
    effect: 'breaks',
    old: [
      'module.exports = () => async (ctx, next) => { ctx.packet.pop(); await next(); };',
      'module.exports = () => async (ctx, next) => { log(ctx.packet.slice(1, -1)); await next(); };',
      'module.exports = () => async (ctx, next) => { const { packet } = ctx; log(packet[packet.length - 1]); await next(); };',
    ],
    modern: ['module.exports = () => async (ctx, next) => { log(ctx.packet[0], ctx.packet.slice(1)); await next(); };'],
  },
  {
    name: 'the prefix of errors',
    effect: 'breaks',
    old: ['if (message === "[egg-socket.io] controller execute error: no room") back();', 'x(`controller execute error: ${message}`);'],
    modern: ['if (error.code === "NO_ROOM") back();'],
  },
  {
    name: 'init.origins',
    path: CONFIG,
    effect: 'breaks',
    old: [
      'exports.io = { init: { origins: "*:*" } };',
      'module.exports = () => { const config = {}; config.io = { init: { "origins": ["a"] } }; return config; };',
      'config.io.init.origins = "*";',
    ],
    modern: ['exports.io = { init: { cors: { origin: ["https://example.com"] } } };', 'exports.cors = { origins: ["a"] };'],
  },
  {
    name: 'uws',
    path: CONFIG,
    effect: 'breaks',
    old: ['exports.io = { init: { wsEngine: "uws" } };', 'const uws = require("uws");', 'import uws from "uws";'],
    modern: ['exports.io = { init: { wsEngine: "ws" } };', 'exports.io = { init: {} };'],
  },
  {
    name: 'clients of Redis',
    path: CONFIG,
    effect: 'breaks',
    old: [
      'exports.io = { redis: { pubClient: redis } };',
      'exports.io = { redis: { subClient: redis } };',
      'const redis = require("socket.io-redis");',
    ],
    modern: ['exports.io = { redis: { host: "127.0.0.1", port: 6379 } };'],
  },
  {
    name: 'a database of Redis',
    path: CONFIG,
    effect: 'look',
    old: ['exports.io = { redis: { host: "127.0.0.1", db: 1 } };'],
    modern: ['exports.io = { redis: { host: "127.0.0.1", db: 0 } };', 'exports.redis = { client: { host: "127.0.0.1", db: 1 } };'],
  },
  {
    name: 'socketio-wildcard',
    effect: 'breaks',
    old: ['const wildcard = require("socketio-wildcard")();', 'socket.onevent = packet => {};'],
    modern: ['socket.onAny((event, ...args) => {});'],
  },
  {
    name: 'packages that are not needed',
    path: 'package.json',
    effect: 'look',
    old: [
      '{ "dependencies": { "uws": "^10.0.0" } }',
      '{ "dependencies": { "socket.io-redis": "5" } }',
      '{ "dependencies": { "socket.io": "2" } }',
    ],
    modern: ['{ "dependencies": { "egg-socket.io": "^5.0.0" }, "devDependencies": { "socket.io": "4" } }'],
  },
  {
    name: 'clients()',
    effect: 'deprecated',
    old: [
      'app.io.of("/").adapter.clients([room], (error, ids) => {});',
      'const { adapter } = app.io.of("/chat"); adapter.clients((error, ids) => {});',
      'nsp.adapter.clients("", done);',
      'app.io.of("/").adapter.clients(null, done);',
      'const nsp = this.app.io.of("/"); nsp.clients(done);',
      'app.io.in(room).clients(done);',
      'ctx.app.io.of("/").in(room).clients(done);',
      '(app as any).io.sockets.clients(done);',
    ],
    modern: ['await app.io.of("/").in(room).fetchSockets();', 'await app.io.fetchSockets();', 'await this.service.crm.clients(company);'],
  },
  {
    name: 'questions to the adapter',
    effect: 'deprecated',
    old: [
      'nsp.adapter.clientRooms(id, done);',
      'nsp.adapter.allRooms(done);',
      'nsp.adapter.remoteJoin(id, room, done);',
      'nsp.adapter.remoteLeave(id, room, done);',
      'nsp.adapter.remoteDisconnect(id, true, done);',
      'ctx.socket.adapter.remoteDisconnect(id, true, done);',
    ],
    modern: ['nsp.in(id).socketsJoin(room);', 'nsp.in(id).socketsLeave(room);', 'nsp.in(id).disconnectSockets(true);'],
  },
  {
    name: 'requests of the adapter',
    effect: 'breaks',
    old: ['nsp.adapter.customRequest("a", done);', 'nsp.adapter.customHook = (data, done) => done(data);'],
    modern: ['nsp.serverSideEmitWithAck("a", 1);', 'nsp.on("a", (data, done) => done(data));'],
  },
  {
    name: 'connected',
    effect: 'deprecated',
    old: [
      'nsp.connected[id];',
      'app.io.sockets.connected[id].emit("a");',
      'Object.keys(nsp.connected).length;',
      'nsp.in(room).connected;',
      'nsp!.connected[id];',
      'const { connected } = app.io.of("/");',
    ],
    modern: ['nsp.sockets.get(id);', 'if (socket.connected) go();'],
  },
  {
    name: 'tables that were objects',
    effect: 'deprecated',
    old: [
      'nsp.sockets[id].emit("a");',
      'app.io.of("/").sockets[id];',
      'app.io.sockets.sockets[id];',
      'Object.keys(nsp.sockets).length;',
      'for (const id in nsp.sockets) go(id);',
      'const { sockets } = app.io.of("/chat"); Object.keys(sockets);',
      'Object.keys(socket.rooms);',
      'ctx.socket.rooms[room];',
      'nsp.adapter.rooms[room].length;',
      'Object.keys(app.io.of("/").adapter.rooms);',
      'adapter.sids[id];',
    ],
    modern: [
      'nsp.sockets.get(id)?.emit("a");',
      'nsp.sockets.size; [...nsp.sockets.keys()];',
      'for (const [id] of nsp.sockets) go(id);',
      '[...socket.rooms]; socket.rooms.has(room);',
      'nsp.adapter.rooms.get(room)?.size;',
      'adapter.sids.get(id);',
      'hotel.rooms[1]; Object.keys(hotel.rooms);',
    ],
  },
  {
    name: 'sockets of a room',
    effect: 'breaks',
    old: ['ctx.app.io.of("/").to("online").sockets[id].emit("a");'],
    modern: ['ctx.app.io.of("/").sockets.get(id)?.emit("a");'],
  },
  {
    name: 'what an object has kept',
    effect: 'deprecated',
    old: [
      'class A { say() { this.nsp.sockets[id].emit("a"); } }',
      'ctx.socket.nsp.sockets[id].emit("a");',
      'this.socket.join(room, done);',
    ],
    modern: ['class A { say() { this.sockets[id].emit("a"); this.rooms[id] = 1; library.io.set("a", 1); } }'],
  },
  {
    name: 'callbacks of join and leave',
    effect: 'deprecated',
    old: [
      'socket.join(room, () => {});',
      'ctx.socket.leave(room, done);',
      'ctx.join(room, done);',
      'app.io.on("connection", client => client.join("a", done));',
    ],
    modern: ['await socket.join(room);', 'path.join(folder, name);', 'names.join(",");'],
  },
  {
    name: 'rooms by number',
    effect: 'look',
    old: ['socket.join(42);', 'ctx.socket.join(Number(id));', 'socket.join(+id);'],
    modern: ['socket.join("42");', 'socket.join(String(id));', 'socket.join(id);'],
  },
  {
    name: 'names that have changed',
    effect: 'deprecated',
    old: [
      'app.io.controllers.chat.say;',
      'app.io.middlewares.auth;',
      'socket.json.emit("a");',
      'nsp.json.emit("a");',
      'app.io.json.emit("a");',
      'socket.error("no");',
      'app.io.nsps["/chat"];',
    ],
    modern: [
      'app.io.controller.chat.say;',
      'app.io.middleware.auth;',
      'socket.emit("a");',
      'app.io.of("/chat");',
      'response.json();',
      'logger.error("no");',
    ],
  },
  {
    name: 'set-up by calls',
    effect: 'breaks',
    old: ['app.io.origins("*:*");', 'app.io.set("origins", "*:*");'],
    modern: ['app.io.route("a", app.io.controller.chat.say);', 'new Map().set("origins", 1);'],
  },
  {
    name: 'chains after emit()',
    effect: 'breaks',
    old: ['socket.emit("a").emit("b");', 'app.io.to(room).emit("a").to(other);'],
    modern: ['socket.emit("a"); socket.emit("b");', 'socket.to(room).emit("a");', 'new EventEmitter().emit("a").toString();'],
  },
  {
    name: 'JSONP',
    path: 'web/chat.js',
    effect: 'breaks',
    old: ['const socket = io({ forceJSONP: true });', 'io(url, { jsonp: true });'],
    modern: ['const socket = io({ transports: ["websocket"] });'],
  },
  {
    name: 'JSONP in a config, where it is Egg’s own',
    path: CONFIG,
    effect: 'breaks',
    old: [],
    modern: ['exports.jsonp = { limit: 50 };', 'module.exports = { jsonp: { callback: "cb" } };'],
  },
  {
    name: 'clients of Socket.IO 2',
    path: 'web/chat.js',
    effect: 'look',
    old: [
      'import io from "socket.io-client"; const socket = io.connect("http://127.0.0.1");',
      'const io = require("socket.io-client"); io().on("reconnect", back);',
      'import io from "socket.io-client"; const socket = io(); socket.on("reconnect_attempt", back);',
      'import io from "socket.io-client"; const socket = io(); socket.on("error", text => show(text));',
    ],
    modern: [
      'import { io } from "socket.io-client"; const socket = io("http://127.0.0.1"); socket.on("connect_error", show);',
      'import { io } from "socket.io-client"; const socket = io(); socket.io.on("reconnect", back);',
      'stream.on("error", stop);',
      'import { io } from "socket.io-client"; io.sockets[id];',
    ],
  },
];

describe('the command that migrates', { concurrency: true }, () => {
  for (const { name, path = 'app/service/chat.ts', effect, old, modern } of IDIOMS) {
    test(`finds ${name}`, () => {
      for (const source of old) {
        const findings = check(source, path);
        assert.deepEqual(
          findings.map(({ rule }) => rule.effect),
          [effect],
          `${source}: ${findings.map(({ rule }) => rule.advice).join(' | ')}`,
        );
      }
      for (const source of modern)
        assert.deepEqual(
          check(source, path).map(({ rule }) => rule.advice),
          [],
          source,
        );
    });
  }

  test('has an idiom in these tests for each of its rules', () => {
    const seen = new Set(
      IDIOMS.flatMap(({ path = 'app/service/chat.ts', old }) => old.flatMap(source => check(source, path).map(({ rule }) => rule))),
    );
    assert.deepEqual(
      RULES.filter(rule => !seen.has(rule)).map(({ advice }) => advice),
      [],
    );
  });

  test('finds each old call that the guide says still works, and none of the new ones', async () => {
    const [, section = ''] = /^## Calls that still work$(.*?)^## /ms.exec(await readFile(join(ROOT, 'docs/migrating.md'), 'utf8')) ?? [];
    const rows = [...section.matchAll(/^\| (`.+?) +\| (.+?) +\|$/gm)].map(
      ([, old = '', modern = '']) => [codeIn(old), codeIn(modern)] as const,
    );
    const effects = (code: string): Effect[] => check(`async () => { ${code} }`, 'app/service/chat.js').map(({ rule }) => rule.effect);
    assert.ok(rows.length > 10);
    for (const [old, modern] of rows) {
      for (const code of old) assert.deepEqual(effects(code), ['deprecated'], code);
      for (const code of modern) assert.deepEqual(effects(code), [], code);
    }
  });

  test('names a section of the guide with each rule', async () => {
    const guide = await readFile(join(ROOT, 'docs/migrating.md'), 'utf8');
    const sections = [...guide.matchAll(/^## (.+)$/gm)].map(([, title = '']) =>
      title
        .toLowerCase()
        .replaceAll(/[^\w ]/g, '')
        .replaceAll(' ', '-'),
    );
    for (const { anchor, advice } of RULES) assert.ok(sections.includes(anchor), `${anchor}: ${advice}`);
  });

  test('prints file, line, old use and what to write, in the order of files and lines, and exits with 1 where something breaks', async t => {
    const { code, stdout } = await migrate(t, {
      'app/router.ts':
        'import type { Application } from "egg";\nexport default (app: Application): void => {\n  use(ctx.req.args, app.io.controllers.a);\n};',
      'app/io/controller/chat.js': 'exports.say = async ctx => {\n  use(ctx.req\n    .args);\n};',
      'app/io/middleware/view.tsx': 'export const view = <b>{nsp.connected[id]}</b>;',
    });
    assert.equal(
      stdout,
      `app/io/controller/chat.js:2:7 breaks: ctx.req .args
  write ctx.args (#what-is-different-on-purpose)

app/io/middleware/view.tsx:1:25 deprecated: nsp.connected
  write nsp.sockets.get(id), nsp.sockets.size, nsp.sockets.keys() (#calls-that-still-work)

app/router.ts:3:7 breaks: ctx.req.args
  write ctx.args (#what-is-different-on-purpose)

app/router.ts:3:21 deprecated: app.io.controllers
  write app.io.controller, app.io.middleware (#calls-that-still-work)

files: 3; breaks: 2, deprecated: 2, look: 0
The reasons are in egg-socket.io/docs/migrating.md.
`,
    );
    assert.equal(code, 1);
  });

  test('exits with 0 where nothing breaks, and does not look at what is not the app’s source', async t => {
    const old = 'ctx.req.args;';
    const { code, stdout } = await migrate(t, {
      'app.js': 'app.io.controllers;',
      'node_modules/other/index.js': old,
      ...{
        'dist/app.js': old,
        'run/a.js': old,
        'logs/a.js': old,
        'app/public/a.js': old,
        '.git/a.js': old,
        'typings/index.d.ts': old,
        'a.css': old,
      },
    });
    assert.match(stdout, /^app\.js:1:1 deprecated: app\.io\.controllers\n/);
    assert.match(stdout, /^files: 1; breaks: 0, deprecated: 1, look: 0$/m);
    assert.equal(code, 0);
  });

  test('names a file that it cannot parse, goes on, and exits with 1', async t => {
    const { code, stdout } = await migrate(t, { 'a.js': 'const = 1;', 'b.js': 'app.io.controllers;', 'package.json': '{' });
    assert.match(stdout, /^a\.js: cannot be read \(Unexpected token \(1:6\)\)$/m);
    assert.match(stdout, /^b\.js:1:1 deprecated/m);
    assert.match(stdout, /^package\.json: cannot be read/m);
    assert.match(stdout, /^files: 3 \(2 not read\); breaks: 0, deprecated: 1, look: 0$/m);
    assert.equal(code, 1);
  });

  test('explains itself, and exits with 2 if it is called in another way', async () => {
    const help = await run(['--help']);
    assert.match(help.stdout, /^Usage: npx egg-socket\.io migrate \[folder\]\n/);
    assert.equal(help.code, 0);
    for (const [args, problem] of [
      [[], 'no command is given'],
      [['migrat'], 'no such command: migrat'],
      [['migrate', 'nowhere'], 'nowhere is no folder'],
      [['migrate', '--fix'], "Unknown option '--fix'"],
    ] as const) {
      const { code, stdout, stderr } = await run(args);
      assert.ok(stderr.startsWith(`egg-socket.io: ${problem}`), stderr);
      assert.match(stderr, /\nUsage: /);
      assert.deepEqual([code, stdout], [2, '']);
    }
  });
});

function codeIn(cell: string): string[] {
  return [...cell.matchAll(/`(.+?)`/g)].map(([, code = '']) => code);
}

async function migrate(t: TestContext, files: Files): Promise<Result> {
  const folder = await mkdtemp(join(tmpdir(), 'migrate-'));
  t.after(() => rm(folder, { recursive: true }));
  for (const [path, source] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), source);
  }
  return run(['migrate', folder]);
}

interface Result {
  code: number;
  stdout: string;
  stderr: string;
}

function run(args: readonly string[]): Promise<Result> {
  return new Promise(resolve => {
    const child = execFile(process.execPath, [COMMAND, ...args], (_error, stdout, stderr) =>
      resolve({ code: child.exitCode ?? -1, stdout, stderr }),
    );
  });
}
