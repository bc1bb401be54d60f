/** Socket.IO's own admin UI, set up as docs/admin.md says, with several workers. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startCluster } from '../support/cluster';
import { connect, newClient, next, refusal } from '../support/client';
import { readPage } from '../support/page';
import { until } from '../support/until';

test('@socket.io/admin-ui shows the sockets of two workers to those whom its namespace lets in', { timeout: 120_000 }, async t => {
  const { samples } = await readPage('docs/admin.md');
  const own = samples.filter(({ code }) => code.includes('admin-ui') || code.includes("'/admin'") || code.includes('operator.js'));
  const files = Object.fromEntries(own.flatMap(({ path, code }) => (path === undefined ? [] : [[path, code]])));
  const { url } = await startCluster(
    t,
    {
      ...files,
      'app/router.js': `module.exports = app => {
        app.io.route('who', async () => process.pid);
        app.get('/login', async ctx => { ctx.session.user = { isOperator: true }; ctx.body = ''; });
      };`,
    },
    { workers: 2 },
  );
  const ids: unknown[] = [];
  const pids = new Set<unknown>();
  while (pids.size < 2) {
    const client = await connect(t, url);
    ids.push(client.id);
    pids.add(await client.emitWithAck('who'));
  }
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
  for (const id of ids) assert.ok(sockets.some(socket => socket.id === id));
  await until(t, () => stats.size === 2);
});
