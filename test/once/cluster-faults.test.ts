/** A cluster in trouble, where Egg has no part in it. What Egg has a part in is in test/cluster-faults.test.ts. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import type { Files } from '../support/app';
import { ask, type Client, connect } from '../support/client';
import { startCluster } from '../support/cluster';
import { processesOf, residentMemory } from '../support/processes';
import { until } from '../support/until';

const FILES: Files = {
  'app/io/controller/home.js': `
    exports.who = async ctx => {
      const carrier = ctx.socket.conn.transport.socket?._socket;
      return { pid: process.pid, isDirect: carrier !== undefined && carrier._handle?.constructor.name !== 'Pipe' };
    };
    exports.count = async ctx => (await ctx.app.io.fetchSockets()).length;
    exports.flood = async ctx => {
      const [count, length] = ctx.args;
      const text = 'x'.repeat(length);
      for (let n = 0; n < count; n++) {
        ctx.app.io.to('flood').emit('flood', n, text);
        if (n % 100 === 99) await new Promise(resolve => ctx.app.io.once('taken', resolve)); // no faster than a client of another worker takes it
      }
    };
    exports.join = async ctx => { await ctx.socket.join('flood'); return true; };
    exports.take = async ctx => { ctx.app.io.serverSideEmit('taken'); };`,
  'app/router.js': `
    module.exports = app => {
      const { home } = app.io.controller;
      for (const event of ['who', 'count', 'flood', 'join', 'take']) app.io.route(event, home[event]);
    };`,
};

interface Who {
  pid: number;
  /** Whether it has a WebSocket, and this comes from the client itself rather than from another worker. */
  isDirect: boolean;
}

test(
  'an app that is killed and started again at once takes away what the former has left in the temporary folder, where the path of Egg’s run folder is too long',
  { timeout: 60_000 },
  async t => {
    const rundir = join(tmpdir(), 'x'.repeat(90));
    t.after(() => rm(rundir, { recursive: true, force: true, maxRetries: 5 }));
    const first = await startCluster(t, FILES, { workers: 2, rundir });
    const [, left = assert.fail('there is no folder')] =
      /the sockets of the workers are in (\S+), since .* too long/.exec(await first.agentLog()) ?? [];
    const { workers, agent } = processesOf(first.master.pid ?? 0);
    for (const pid of [first.master.pid ?? 0, agent ?? 0, ...workers]) process.kill(pid, 'SIGKILL');
    await first.terminate();
    assert.ok(existsSync(left));
    const second = await startCluster(t, FILES, { workers: 2, baseDir: first.baseDir, rundir });
    assert.ok(!existsSync(left));
    const client = await connect(t, second.url, { transports: ['polling'] });
    assert.equal(await ask(client, 'count'), 1);
    assert.equal(await second.terminate(), 0);
    assert.deepEqual(
      readdirSync(dirname(left)).filter(name => name.includes(`-${second.master.pid}-`)),
      [],
    );
  },
);

test('a worker that hangs keeps nobody waiting, and the memory of the others stays where it is', { timeout: 60_000 }, async t => {
  let stopped: number | undefined;
  const goOn = (): void => {
    if (stopped !== undefined) process.kill(stopped, 'SIGCONT');
    stopped = undefined;
  };
  t.after(goOn); // before the cluster is told to end
  const cluster = await startCluster(t, FILES, { workers: 3 });
  const master = cluster.master.pid ?? assert.fail('it has no pid');
  const clients: Client[] = [];
  for (const transports of [['websocket'], ['polling'], ['polling', 'websocket']])
    for (let n = 0; n < 6; n++) clients.push(await connect(t, cluster.url, { transports }));
  const owners = (await Promise.all(clients.map(client => ask(client, 'who')))) as Who[];
  const direct = clients.filter((_, index) => owners[index]?.isDirect);
  const ownerOf = (client: Client): number => owners[clients.indexOf(client)]?.pid ?? 0;
  const sender = direct[0] ?? assert.fail('nobody has a WebSocket');
  const listener = direct.find(client => ownerOf(client) !== ownerOf(sender)) ?? assert.fail('they are all of one worker');
  const { agent = 0, workers } = processesOf(master);
  const victim = workers.find(pid => ![sender, listener].map(ownerOf).includes(pid)) ?? assert.fail('nobody is left');
  const others = [agent, ...workers.filter(pid => pid !== victim)];
  await ask(listener, 'join'); // and nobody else: what waits for slow clients is another matter
  await flood(sender, listener, 2_000, 10_000); // what a process has taken from the system once, it keeps
  const before = others.map(residentMemory);

  process.kill(victim, 'SIGSTOP');
  stopped = victim;
  await flood(sender, listener, 20_000, 10_000); // 200 MB
  const growth = others.map((pid, index) => residentMemory(pid) - (before[index] ?? 0));
  assert.ok(Math.max(...growth) < 64, `${growth.map(Math.round).join(', ')} MB`);
  assert.equal([...(await cluster.agentLog()).matchAll(/IO_HUB_OVERFLOW: worker \d+ does not read its messages/g)].length, 1);
  goOn();
  await until(t, async () => (await ask(sender, 'count')) === clients.filter(({ connected }) => connected).length);
});

/** Sends broadcasts through one client, all of which another one, of another worker, has to hear in order. */
async function flood(sender: Client, listener: Client, count: number, length: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    let expected = 0;
    listener.on('flood', (n: number) => {
      if (n !== expected++) reject(new Error(`${n} has come, ${expected - 1} was expected`));
      if (expected % 100 === 0) listener.emit('take');
      if (expected === count) resolve();
    });
    sender.emit('flood', count, length);
  });
  listener.off('flood');
}
