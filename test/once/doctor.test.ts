/** `npx egg-socket.io doctor`: what it finds without Egg; and with real servers: Redis, PostgreSQL, PgBouncer, and proxies in front of running apps. */
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { Redis } from 'ioredis';
import { type Files, type HostName, hostFolder, removeApp, ROOT, type RunningApp, startApp } from '../support/app';
import { freePort } from '../support/port';
import { type Diagnosis, diagnose, diagnoseIn } from '../support/doctor';
import { startNginx } from '../support/nginx';
import { newPostgres } from '../support/postgres';
import { startRedis } from '../support/redis';
import { startReverseProxy } from '../support/reverse-proxy';
import { until } from '../support/until';

const PASSWORD = 'hunter2-of-the-doctor';

/** The finding that matches. No output may have the password. */
function found({ findings, output }: Diagnosis, text: RegExp): void {
  assert.ok(
    findings.some(finding => text.test(finding)),
    `${text}: ${output}`,
  );
  assert.ok(!output.includes(PASSWORD), output);
}

function ioOf(io: string): Files {
  return { 'config/config.default.js': `exports.io = ${io};` };
}

test('the command says what is wrong with its options', async t => {
  for (const [args, message] of [
    [['--url', 'chat.example.com'], /--url is no address with http or https/],
    [['--out', 'file'], /doctor has no option --out/],
  ] as const) {
    const { code, output } = await diagnose(t, {}, args);
    assert.equal(code, 2);
    assert.match(output, message);
  }
});

test('a client of Socket.IO 2, which is not let in, and more clients than files', async t => {
  const diagnosis = await diagnose(t, {
    ...ioOf('{ init: { allowEIO3: false }, limits: { connections: 1e6 } }'),
    'node_modules/socket.io-client/package.json': JSON.stringify({ name: 'socket.io-client', version: '2.5.0' }),
  });
  found(diagnosis, /^problem socket\.io-client is 2\.5\.0, .*-> npm i socket\.io-client@4/);
  found(diagnosis, /^problem a process may have \d+ files open, .* -> raise it to 2001000: LimitNOFILE=/);
  assert.equal(diagnosis.code, 1);
});

test('a low limit of open files is told of', async t => {
  const { code, findings, output } = await diagnose(t, {}, [], 'ulimit -n 2000');
  assert.ok(
    findings.some(text => /^look a process may have 2000 files open, .*-> raise it to 10000: /.test(text)),
    output,
  );
  assert.equal(code, 0);
});

test('versions that do not fit each other: of a peer, and of socket.io-adapter', async t => {
  const { code, findings, output } = await diagnose(t, {
    'node_modules/@socket.io/postgres-adapter/package.json': JSON.stringify({ name: '@socket.io/postgres-adapter', version: '0.4.0' }),
    'node_modules/@socket.io/admin-ui/package.json': JSON.stringify({ name: '@socket.io/admin-ui', version: '0.5.1' }),
    'node_modules/socket.io-adapter/package.json': JSON.stringify({ name: 'socket.io-adapter', version: '2.4.0' }),
  });
  assert.ok(
    findings.some(text =>
      /^problem @socket\.io\/postgres-adapter is 0\.4\.0 .*-> npm i @socket\.io\/postgres-adapter@\^0\.5\.0/.test(text),
    ),
    output,
  );
  assert.ok(!output.includes('several versions of socket.io-adapter'), 'the admin UI uses none, whichever the app has');
  assert.equal(code, 1);
});

for (const adapter of ['redis', 'redis-sharded', 'redis-streams']) {
  test(`${adapter}: a Redis that allows all, and a user without a right`, async t => {
    const { port } = await startRedis(t);
    const admin = new Redis({ port });
    t.after(() => admin.disconnect());
    await admin.call('ACL', 'SETUSER', 'chat', 'on', `>${PASSWORD}`, 'allchannels', 'allkeys', '+@all');
    const files = ioOf(
      `{ adapter: '${adapter}', namespace: { '/chat': {} }, redis: { port: ${port}, username: 'chat', password: '${PASSWORD}' } }`,
    );
    const good = await diagnose(t, files);
    found(
      good,
      new RegExp(
        `^ok Redis at 127\\.0\\.0\\.1:${port} answers, and allows what the adapter '${adapter}' needs; other servers of the app there: 0$`,
      ),
    );
    assert.equal(good.code, 0, good.output);

    const command = { redis: 'psubscribe', 'redis-sharded': 'ssubscribe', 'redis-streams': 'xadd' }[adapter] ?? '';
    await admin.call('ACL', 'SETUSER', 'chat', `-${command}`);
    const bad = await diagnose(t, files);
    found(bad, new RegExp(`^problem IO_REDIS_REFUSED: Redis at 127\\.0\\.0\\.1:${port} refuses ${command.toUpperCase()}; .*NOPERM`));
    assert.equal(bad.code, 1);
  });
}

test('a Redis that is not there, and one with another password', async t => {
  const port = await freePort();
  found(
    await diagnose(t, ioOf(`{ redis: 'redis://chat:${PASSWORD}@127.0.0.1:${port}' }`)),
    /^problem IO_REDIS_DOWN: no Redis at 127\.0\.0\.1:\d+; .*ECONNREFUSED/,
  );
  const redis = await startRedis(t, { password: 'another' });
  found(
    await diagnose(t, ioOf(`{ redis: { port: ${redis.port}, password: '${PASSWORD}' } }`)),
    /^problem IO_REDIS_REFUSED: .*check the username and the password/,
  );
});

test('a MongoDB that is not there', async t => {
  const port = await freePort();
  const url = `mongodb://chat:${PASSWORD}@127.0.0.1:${port}`;
  const diagnosis = await diagnose(t, ioOf(`{ adapter: { name: 'mongo', url: '${url}', database: 'chat' } }`));
  found(diagnosis, /^problem IO_DATABASE_DOWN: no MongoDB at 127\.0\.0\.1:\d+; /);
  assert.equal(diagnosis.code, 1);
});

test('a server of the doctor is one that the app counts, and that changes nothing for it', async t => {
  const { port } = await startRedis(t);
  const postgres = await newPostgres(t);
  await postgres.start();
  for (const options of [
    `{ redis: { port: ${port} } }`,
    `{ adapter: { name: 'postgres', connection: '${postgres.url}', heartbeatTimeout: 600000 } }`,
  ]) {
    const { io } = await startApp(t, ioOf(options));
    found(await diagnose(t, ioOf(options)), /; other servers of the app there: 1$/);
    await until(t, async () => (await io.of('/').adapter.serverCount()) === 1); // not because heartbeats are missed
    assert.deepEqual(await io.fetchSockets(), []);
  }
});

test('PostgreSQL, and PgBouncer in transaction mode in front of it', async t => {
  const postgres = await newPostgres(t);
  await postgres.start();
  const good = await diagnose(t, ioOf(`{ adapter: { name: 'postgres', connection: '${postgres.url}' } }`));
  found(good, /^ok PostgreSQL at 127\.0\.0\.1:\d+ answers, and allows what the adapter 'postgres' needs/);
  const bouncer = await postgres.startPgBouncer('transaction');
  const url = bouncer.url.replace('test@', `test:${PASSWORD}@`);
  const pooled = await diagnose(t, ioOf(`{ adapter: { name: 'postgres', connection: '${url}' } }`));
  found(pooled, /^problem IO_DATABASE_REFUSED: .* accepts LISTEN but delivers nothing; .*pool_mode = session/);
  assert.equal(pooled.code, 1);
});

test('an app that has its framework only, as pnpm installs it: a worker has a clock of its own with the framework’s egg 4, and none with its egg 3', async t => {
  const shell = 'export EGG_SERVER_ENV=prod EGG_APP_CLOSE_TIMEOUT=13000';
  const [withEgg3, withEgg4] = [await appOfFramework(t, 'egg3'), await appOfFramework(t, 'egg4')];
  const long = await diagnoseIn(withEgg3, [], shell);
  found(long, /^ok config\.io can be used/);
  assert.equal(long.code, 0, long.output);
  for (const baseDir of [withEgg4, await appOfFramework(t, 'egg4', 'module')])
    found(await diagnoseIn(baseDir, [], shell), /^look IO_DRAIN_CUT: .* Egg ends a worker 5000 ms after SIGTERM/);
  found(await diagnoseIn(withEgg3, [], 'export EGG_SERVER_ENV=prod'), /^look IO_DRAIN_CUT: .* Egg ends a worker 5000 ms after SIGTERM/);
});

/** One that can be required, and exports but a class of its own; and one that can only be imported, and exports all of Egg. */
const FRAMEWORKS = {
  commonjs: {
    exports: './index.js',
    code: `exports.Application = class extends require('egg').Application {
      get [Symbol.for('egg#eggPath')]() { return __dirname; }
    };`,
  },
  module: {
    exports: { import: './index.js' },
    code: `import { Application as Base } from 'egg';
    export * from 'egg';
    export class Application extends Base {
      get [Symbol.for('egg#eggPath')]() { return import.meta.dirname; }
    }`,
  },
};

/** The app cannot load Egg: its framework has it. */
async function appOfFramework(t: TestContext, host: HostName, type: keyof typeof FRAMEWORKS = 'commonjs'): Promise<string> {
  const baseDir = await mkdtemp(join(tmpdir(), 'framework-'));
  t.after(() => removeApp(baseDir));
  const framework = 'node_modules/chat-framework';
  const { exports, code } = FRAMEWORKS[type];
  const files: Files = {
    'package.json': JSON.stringify({ name: 'test-app', type: 'commonjs', egg: { framework: 'chat-framework' } }),
    'config/plugin.js': "exports.io = { enable: true, package: 'egg-socket.io' };",
    'config/config.default.js': "exports.keys = 'test-keys'; exports.io = { init: { allowEIO3: false }, drain: { timeout: 8000 } };",
    [`${framework}/package.json`]: JSON.stringify({ name: 'chat-framework', type, exports }),
    [`${framework}/index.js`]: code,
  };
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(baseDir, path)), { recursive: true });
    await writeFile(join(baseDir, path), content);
  }
  await symlink(ROOT, join(baseDir, 'node_modules/egg-socket.io'));
  await mkdir(join(baseDir, framework, 'node_modules'));
  await symlink(join(hostFolder(host), 'node_modules/egg'), join(baseDir, framework, 'node_modules/egg'));
  return baseDir;
}

/** nginx in front of apps, with these lines for the location, and these for the upstream. */
async function through(t: TestContext, servers: readonly RunningApp[], location: string): Promise<Diagnosis> {
  const upstream = servers.map(({ port }) => `server 127.0.0.1:${port};`).join(' ');
  const { url } = await startNginx(
    t,
    `upstream app { ${upstream} } server { listen 80; location / { proxy_pass http://app; ${location} } }`,
  );
  return diagnose(t, {}, ['--url', url.replace('127.0.0.1', 'localhost')]);
}

const UPGRADE = 'proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade";';
const HOST = 'proxy_set_header Host $host;';

test('a proxy that passes all on', async t => {
  const diagnosis = await through(t, [await startApp(t, {})], UPGRADE + HOST);
  for (const text of [/^ok polling: /, /^ok WebSocket: /, /^ok sessions: 10 requests/, /^ok upgrade: /]) found(diagnosis, text);
  assert.equal(diagnosis.code, 0, diagnosis.output);
});

test('a proxy that does not pass Upgrade, or not Host', async t => {
  const app = await startApp(t, {});
  const withoutUpgrade = await through(t, [app], HOST);
  found(withoutUpgrade, /^ok polling: /);
  found(withoutUpgrade, /^problem WebSocket: .*400 and code 3: a proxy does not pass the Upgrade header on -> .*proxy_set_header Upgrade/);
  found(withoutUpgrade, /^problem upgrade: /);
  assert.equal(withoutUpgrade.code, 1);

  const withoutHost = await through(t, [app], UPGRADE);
  found(withoutHost, /^problem a page of http:\/\/localhost:\d+ is refused at its own site: .*-> .*proxy_set_header Host \$host/);
  found(withoutHost, /^ok WebSocket: /);
  assert.equal(withoutHost.code, 1);
});

test('several servers: without affinity, by the address, and by a cookie', async t => {
  const servers = [await startApp(t, {}), await startApp(t, {})];
  const astray = await through(t, servers, UPGRADE + HOST);
  found(astray, /^problem sessions: \d+ of 10 requests of a session did not reach it: .*-> make the load balancer send/);
  const { url } = await startReverseProxy(
    t,
    'haproxy',
    `defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend web
  bind :80
  default_backend app
backend app
  cookie WORKER insert indirect nocache
  ${servers.map(({ port }, index) => `server s${index} 127.0.0.1:${port} cookie s${index}`).join('\n  ')}
`,
  );
  const byCookie = await diagnose(t, {}, ['--url', url]);
  found(byCookie, /^look sessions: requests reach them by a cookie \(WORKER\), which clients outside of browsers do not send back/);
  assert.equal(byCookie.code, 0, byCookie.output);
});

test('an address at which there is no app, or another one', async t => {
  const app = await startApp(t, { 'app/router.js': "module.exports = app => { app.get('/other/', ctx => { ctx.body = 'a page'; }); };" });
  found(
    await diagnose(t, {}, ['--url', `http://chat:${PASSWORD}@127.0.0.1:${await freePort()}`]),
    /^problem http:.* cannot be reached: .*ECONNREFUSED/,
  );
  found(await diagnose(t, {}, ['--url', `${app.url}/other`]), /^problem polling: .*\/other\/ answers 200, which is not of Socket\.IO/);
  const { url } = await startNginx(t, `server { listen 80; location / { proxy_pass http://127.0.0.1:${await freePort()}; } }`);
  found(await diagnose(t, {}, ['--url', url]), /^problem polling: .* answers 502: the proxy gets no answer/);
  const moved = await startNginx(t, 'server { listen 80; return 301 https://chat.example.com$request_uri; }');
  found(
    await diagnose(t, {}, ['--url', moved.url]),
    /^problem polling: .* answers 301 and leads to https:\/\/chat\.example\.com\/.*-> give the address that it leads to/,
  );
  const secure = await startNginx(t, 'server { listen 443 ssl;\nssl_certificate x;\nssl_certificate_key x;\nreturn 404; }');
  found(
    await diagnose(t, {}, ['--url', secure.url]),
    /^problem https:.* cannot be reached: .*certificate.*-> check the address, its certificate/,
  );
});
