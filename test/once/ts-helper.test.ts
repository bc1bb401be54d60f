/** `app.io.controller` and `app.io.middleware` are typed from an app's files: by egg-ts-helper, with the generators that package.json has for it. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { type Files, type HostName, hostFolder, ROOT } from '../support/app';

const APP: Files = {
  'tsconfig.json': JSON.stringify({
    compilerOptions: {
      target: 'ES2022',
      module: 'nodenext',
      types: ['node'],
      strict: true,
      esModuleInterop: true,
      skipLibCheck: true,
      noEmit: true,
      paths: { egg: ['../../node_modules/egg'] }, // this package is linked, and would find its own egg
    },
    include: ['app', 'config', 'typings'],
  }),
  'config/plugin.ts': `export default { io: { enable: true, package: 'egg-socket.io' } };`,
  'config/config.default.ts': `export default { keys: 'test-keys' };`,
  'app/io/middleware/auth.ts': `
    import type { Middleware } from 'egg-socket.io';
    export default (): Middleware => async (ctx, next) => { await next(); };`,
  'app/io/controller/chat.ts': `
    import { Controller } from 'egg';
    import type { PacketContext } from 'egg-socket.io';
    export default class ChatController extends Controller {
      readonly limit = 10;
      async ping(ctx: PacketContext<'/', 'ping'>) { return ctx.args.length; }
    }`,
  'app/io/controller/game.ts': `
    import { Controller } from 'egg';
    export default class GameController extends Controller {
      async start() {}
    }`,
  'app/io/controller/game/room.ts': `
    import { Application, Controller } from 'egg';
    export default (app: Application) => class extends Controller {
      join() { return app.config.env; }
    };`,
  'app/io/controller/admin/user_list.ts': `
    import type { Context } from 'egg';
    export default { async kick(ctx: Context) { return ctx.args; }, now() { return 1; } };`,
  'app/io/controller/echo.ts': `
    import type { Context } from 'egg';
    export default async (ctx: Context) => ctx.args;`,
  'app/io/controller/loose.ts': `
    export async function ping() {} // without a default export egg-ts-helper does not know it`,
  'app/router.ts': `
    import type { Application } from 'egg';
    import type { Middleware } from 'egg-socket.io';
    export default (app: Application) => {
      const { controller, middleware } = app.io;
      app.io.route('ping', controller.chat.ping);
      app.io.route('start', controller.game.start).route('join', controller.game.room.join);
      app.io.of('/admin').route('kick', controller.admin.userList.kick).route('now', controller.admin.userList.now);
      app.io.route('echo', controller.echo).route('loose', controller.loose.ping);
      const auth: Middleware = middleware.auth;
      // @ts-expect-error -- a function
      const wrong: number = middleware.auth;
      void [auth, wrong];
      // @ts-expect-error -- no such method
      app.io.route('nope', controller.game.room.nope);
      // @ts-expect-error -- no such method
      app.io.route('nope', controller.chat.nope);
      // @ts-expect-error -- no method
      app.io.route('limit', controller.chat.limit);
      // @ts-expect-error -- no such file
      app.io.route('nope', controller.nope.ping);
      // @ts-expect-error -- no such file
      void middleware.nope;
    };`,
};

describe('egg-ts-helper', { concurrency: 2 }, () => {
  test('2 types an app of egg 3', { timeout: 60_000 }, t => typesTheApp(t, 'egg3'));
  test('3 types an app of egg 4', { timeout: 60_000 }, t => typesTheApp(t, 'egg4'));
  test('3 types an ESM app of egg 4', { timeout: 60_000 }, t => typesTheApp(t, 'egg4', 'module'));
});

async function typesTheApp(t: TestContext, host: HostName, type = 'commonjs'): Promise<void> {
  const parent = join(hostFolder(host), '.apps');
  await mkdir(parent, { recursive: true });
  const baseDir = await mkdtemp(join(parent, 'typed-'));
  t.after(() => rm(baseDir, { recursive: true, force: true, maxRetries: 5 }));
  const manifest = { name: 'typed', type, egg: { typescript: true } };
  for (const [path, content] of Object.entries({ ...APP, 'package.json': JSON.stringify(manifest) })) {
    await mkdir(dirname(join(baseDir, path)), { recursive: true });
    await writeFile(join(baseDir, path), content);
  }
  await mkdir(join(baseDir, 'node_modules'));
  await symlink(join(ROOT, 'node_modules/typescript-5.9'), join(baseDir, 'node_modules/typescript')); // egg-ts-helper does not run with 7
  const log = await run([join(hostFolder(host), 'node_modules/egg-ts-helper/dist/bin.js')], baseDir);
  for (const kind of ['controller', 'middleware']) assert.match(log, new RegExp(`create typings/app/io/${kind}/index.d.ts`));
  assert.equal(await run([join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', '.'], baseDir), '');
  assert.equal(await run([join(ROOT, 'node_modules/typescript-5.9/bin/tsc'), '-p', '.'], baseDir), '');
}

/** What a program of Node prints, whether it succeeds or not. */
async function run(args: string[], cwd: string): Promise<string> {
  return new Promise(resolve => execFile(process.execPath, args, { cwd }, (_error, stdout, stderr) => resolve(stdout + stderr)));
}
