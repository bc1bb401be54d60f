/**
 * The second part of `npm run soak`: faults. Redis is killed and comes back, and a worker is killed, in turns, while clients talk to a cluster of
 * two workers. After each fault, all clients have to be there again by themselves, and what any of them shouts has to reach each of them once.
 * When they have gone, the worker that is never killed has to hold nothing of them; at the end its heap has to be where it was after a warm-up.
 * Needs redis-server. Exits with 1, and says what is wrong.
 *
 * node benchmark/soak-faults.mjs --faults 4     of each kind; default: 5. With fewer than 3, the heap is not compared
 * node benchmark/soak-faults.mjs --minutes 60   again and again for an hour
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Child } from './child.mjs';
import { logIn } from './login.mjs';
import { freePort } from './port.mjs';
import { Talker } from './talker.mjs';

const CLIENTS = 40;
/** How long Redis is away, in ms. */
const OUTAGE = 1500;
/** How long it may take until all is well again, in ms: clients come back after 1.5 s at most, and Egg starts a worker in some seconds. */
const PATIENCE = 30_000;
/** How long sessions of clients that have gone are kept, and some more, in ms. */
const RECOVERY = 6000;
/** So many faults of each kind come before the heap is first measured. */
const WARM_UP = 2;
/** See soak.mjs. */
const GROWTH = 1024 * 1024;

const { values: options } = parseArgs({
  options: { faults: { type: 'string', default: '5' }, minutes: { type: 'string', default: '0' } },
});
const folder = mkdtempSync(join(tmpdir(), 'soak-'));
const redis = { port: await freePort(), process: undefined };
let server;
let url;
process.on('exit', () => {
  redis.process?.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1));
try {
  await main();
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
} finally {
  await server?.stop('SIGTERM');
}
process.exit();

async function main() {
  await startRedis();
  const { NODE_V8_COVERAGE: _, ...env } = process.env; // it would keep what it counts
  server = await Child.start(join(import.meta.dirname, 'soak-cluster.mjs'), {
    env: { ...env, EGG_SERVER_ENV: 'prod', NODE_ENV: 'production', HOME: folder, SOAK_DIR: folder, SOAK_REDIS: redis.port },
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'], // Egg says on the console that workers have died
  });
  const { port } = await server.ask('about');
  url = `http://127.0.0.1:${port}`;
  const heaps = [];
  const end = performance.now() + Number(options.minutes) * 60_000;
  do heaps.push(await allFaults());
  while (heaps.length < Number(options.faults) || performance.now() < end);
  console.log('All clients came back each time.');
  if (heaps.length <= WARM_UP) return;
  const growth = heaps.at(-1) - heaps[WARM_UP - 1];
  if (growth > GROWTH) throw new Error(`The heap of the worker that stayed has grown by ${inMB(growth)} since the warm-up.`);
  console.log(`The heap has grown by ${inMB(growth)} since the warm-up; up to ${inMB(GROWTH)} are no leak.`);
}

/** One of each kind. Returns what the worker that stays holds when the clients have gone, in bytes. */
async function allFaults() {
  const cookie = await logIn(url);
  const clients = Array.from({ length: CLIENTS }, (_, i) => new Talker(url, i, cookie));
  await allWell('the start', clients);
  await fault('Redis is killed, and comes back', clients, async () => {
    redis.process.kill('SIGKILL');
    await once(redis.process, 'exit');
    await wait(OUTAGE);
    await startRedis();
  });
  await fault('a worker is killed', clients, () => server.ask('killWorker'));
  for (const client of clients) client.leave();
  await wait(RECOVERY);
  const { tables, heap } = await server.ask('census');
  console.log(`${'all clients have gone'.padEnd(36)} ${''.padStart(8)}  heap ${inMB(heap)}`);
  const left = Object.entries(tables).filter(([, count]) => count > 0);
  if (left.length > 0)
    throw new Error(`All clients have gone. A worker still has: ${left.map(([name, count]) => `${count} ${name}`).join(', ')}`);
  return heap;
}

async function fault(name, clients, run) {
  await run();
  const start = performance.now();
  await allWell(name, clients);
  console.log(`${name.padEnd(36)} ${((performance.now() - start) / 1000).toFixed(1).padStart(6)} s until all is well`);
}

/** Resolves when what each client shouts reaches each client once. */
async function allWell(name, clients) {
  const deadline = performance.now() + PATIENCE;
  for (let missing = CLIENTS; missing > 0;) {
    if (performance.now() > deadline)
      throw new Error(`${PATIENCE / 1000} s after ${name}, ${missing} of ${CLIENTS} clients miss something`);
    await wait(100);
    missing = clients.filter(({ isThere }) => !isThere).length;
    if (missing > 0) continue;
    for (const client of clients) client.heard.clear();
    const shouts = await Promise.all(clients.map(client => client.shout()));
    await wait(500);
    missing = clients.filter(({ heard }) => !shouts.every(shout => heard.has(shout))).length;
  }
  const twice = clients.find(({ heard }) => [...heard.values()].some(count => count > 1));
  if (twice) throw new Error(`After ${name}, a client has got a message twice`);
}

async function startRedis() {
  const args = ['--port', String(redis.port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', folder];
  redis.process = spawn('redis-server', args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  await new Promise((resolve, reject) => {
    redis.process.once('error', reject);
    redis.process.once('exit', () => reject(new Error(`redis-server has ended: ${output}`)));
    redis.process.stdout.setEncoding('utf8').on('data', text => {
      output += text;
      if (output.includes('Ready to accept connections')) resolve();
    });
  });
}

function inMB(bytes) {
  return `${(bytes / 1024 / 1024).toFixed(2)} MB`;
}
