/** Socket.IO's own admin UI, set up as docs/admin.md says, with two workers. */
import assert from 'node:assert/strict';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { ROOT } from '../support/app';
import { openBrowser } from '../support/browser';
import { connect, newClient, next, refusal } from '../support/client';
import { startCluster } from '../support/cluster';
import { readPage } from '../support/page';
import { adminUiOf } from '../support/parts';
import { until } from '../support/until';

type Settings = Parameters<typeof adminUiOf>[0];
type Namespaces = Parameters<typeof adminUiOf>[1];
type App = Parameters<typeof adminUiOf>[2];

/** 'open sesame', by bcrypt. */
const HASH = '$2a$04$u.3F5DMg3Jywu.hAxZV3v.4GXGqieBfhkGlxCfDqRQ5wcois5e38u';

const SETTINGS: Settings = { auth: false, mode: 'production', namespaceName: '/admin', readonly: false };

const ROUTER = `module.exports = app => {
  app.io.route('who', async () => process.pid);
  app.get('/login', async ctx => { ctx.session.user = { isOperator: true }; ctx.body = ''; });
};`;

test('it shows the sockets of both workers to those whom its namespace lets in', { timeout: 120_000 }, async t => {
  const samples = await samplesWith('auth: false', 'isOperator');
  const files = Object.fromEntries(samples.flatMap(({ path, code }) => (path === undefined ? [] : [[path, code]])));
  const { url } = await startCluster(
    t,
    { ...files, 'config/config.prod.js': "exports.io = { adminUi: { mode: 'development' } };", 'app/router.js': ROUTER },
    { workers: 2 },
  );
  const ids = await connectToBoth(t, url);
  assert.match((await refusal(newClient(t, `${url}/admin`))).message, /operators/i);
  const response = await fetch(`${url}/login`);
  const cookie = response.headers
    .getSetCookie()
    .map(one => one.split(';')[0])
    .join('; ');
  const ui = newClient(t, `${url}/admin`, { extraHeaders: { cookie } });
  const stats = new Set<number>();
  ui.on('server_stats', ({ pid }: { pid: number }) => stats.add(pid));
  const [sockets] = await next<[{ id: string }[]]>(ui, 'all_sockets');
  for (const id of ids.values()) assert.ok(sockets.some(socket => socket.id === id));
  await until(t, () => stats.size === 2);
});

test('its page, which Egg serves, shows both workers to whoever knows the password', { timeout: 120_000 }, async t => {
  const samples = await samplesWith("type: 'basic'", 'exports.static');
  assert.equal(samples.length, 2);
  const config = samples.map(({ code }) => code).join('\n');
  const { url } = await startCluster(
    t,
    {
      'config/plugin.js': 'exports.static = true;',
      'config/config.default.js': config.replace('$2a$10$...', HASH),
      'app/router.js': ROUTER,
    },
    { workers: 2 },
  );
  const ids = await connectToBoth(t, url);
  const page = await openBrowser(t);
  await page.goto(`${url}/admin-ui/index.html`);
  await page.getByLabel('Server URL').fill(url);
  await page.getByLabel('Username').fill('operator');
  await page.getByLabel('Password').fill('open sesame');
  await page.getByRole('button', { name: 'Connect', exact: true }).click();
  await page.getByRole('link', { name: 'Servers' }).click();
  for (const pid of ids.keys()) await page.getByText(`#${pid}`).first().waitFor();

  const unusable = newClient(t, `${url}/admin`, { auth: { username: 'operator', password: 1 } });
  assert.equal((await refusal(unusable)).message, 'The password must be a string');
  const guesses = Array.from({ length: 10 }, () => newClient(t, `${url}/admin`, { auth: { username: 'operator', password: 'a guess' } }));
  const answers = await Promise.all(guesses.map(async guess => (await refusal(guess)).message));
  assert.deepEqual(new Set(answers), new Set(['invalid credentials', 'One password a second is looked at']));
});

test('without a password and without middleware, there is a warning in production', () => {
  const warningsOf = (auth: Settings['auth'], env: string, middleware: string[] = []): string[] => {
    const lines: string[] = [];
    const logger = { warn: (line: string) => void lines.push(line) };
    const app = { baseDir: join(ROOT, 'test/admin-ui'), config: { env }, logger };
    const namespaces = new Map([['/admin', { connectionMiddleware: middleware }]]);
    adminUiOf({ ...SETTINGS, auth }, namespaces as unknown as Namespaces, app as unknown as App); // the parts of them that are used
    return lines;
  };
  const [warning, ...more] = warningsOf(false, 'prod');
  assert.match(warning ?? '', /IO_ADMIN_UI_OPEN: .*config\.io\.namespace\['\/admin'\] has no connectionMiddleware/);
  const guarded = [warningsOf(false, 'prod', ['operator']), warningsOf(false, 'local')];
  assert.deepEqual([...more, ...guarded.flat(), ...warningsOf({ type: 'basic', username: 'a', password: HASH }, 'prod')], []);
});

test('without the package the boot stops', () => {
  const message = /config\.io\.adminUi needs a package: run `npm i @socket\.io\/admin-ui`/;
  assert.throws(() => adminUiOf(SETTINGS, new Map(), { baseDir: tmpdir() } as App), {
    name: 'SetupError',
    code: 'IO_ADMIN_UI_MISSING',
    message,
  });
});

async function samplesWith(...parts: string[]): Promise<{ path: string | undefined; code: string }[]> {
  const { samples } = await readPage('docs/admin.md');
  return samples.filter(({ code }) => parts.some(part => code.includes(part)));
}

/** Connects to each of two workers. The id of a client of each, by its process. */
async function connectToBoth(t: TestContext, url: string): Promise<Map<number, string>> {
  const ids = new Map<number, string>();
  while (ids.size < 2) {
    const client = await connect(t, url);
    ids.set(await client.emitWithAck('who'), client.id ?? '');
  }
  return ids;
}
