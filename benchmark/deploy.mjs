/**
 * What a deploy costs clients: `npm run bench:deploy`. An app of 4 workers is told to end by SIGTERM while 300 clients of the official library
 * wait for answers, and is started again as soon as it has ended. Prints the reasons of the disconnect, the answers that were lost, and how
 * long clients were away.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { io } from 'socket.io-client';
import { machine } from './machine.mjs';

const require = createRequire(import.meta.url);
const ROOT = join(import.meta.dirname, '..');
const KINDS = [['polling'], ['websocket'], ['polling', 'websocket']];
const CLIENTS = 300;
/** How long a handler takes, and how long a client waits after an answer, in ms. */
const [WORK, PAUSE] = [200, 300];

const FILES = {
  'package.json': '{ "name": "deploy", "type": "commonjs" }',
  'config/plugin.js': `exports.io = { enable: true, package: 'egg-socket.io' };`,
  'config/config.default.js': `exports.keys = 'deploy'; exports.logger = { consoleLevel: 'NONE' }; exports.cluster = { listen: { hostname: '127.0.0.1' } };`,
  'app/io/controller/home.js': `exports.work = async () => { await new Promise(resolve => setTimeout(resolve, ${WORK})); return true; };`,
  'app/router.js': `module.exports = app => app.io.route('work', app.io.controller.home.work);`,
};

const baseDir = mkdtempSync(join(tmpdir(), 'deploy-'));
for (const [path, content] of Object.entries(FILES)) {
  mkdirSync(dirname(join(baseDir, path)), { recursive: true });
  writeFileSync(join(baseDir, path), content);
}
mkdirSync(join(baseDir, 'node_modules'));
symlinkSync(ROOT, join(baseDir, 'node_modules/egg-socket.io'));
const port = await freePort();

let master = await start();
process.on('exit', () => {
  master.kill();
  rmSync(baseDir, { recursive: true, force: true });
});
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1));
const reasons = {};
const away = [];
const counts = { answered: 0, lost: 0 };
const ended = new AbortController();
const clients = await Promise.all(Array.from({ length: CLIENTS }, async (_, n) => connect(KINDS[n % KINDS.length])));
await wait(3000);

const before = performance.now();
ended.abort();
master.kill('SIGTERM');
await once(master, 'exit');
const endedAt = performance.now();
master = await start();
const startedAt = performance.now();
while (away.length < CLIENTS) await wait(50);
for (const client of clients) client.disconnect();

away.sort((a, b) => a - b);
console.log(`${CLIENTS} clients, a third each of ${KINDS.map(kind => kind.join(' then ')).join(', ')}; 4 workers; handlers of ${WORK} ms`);
console.log(`reasons of the disconnect: ${JSON.stringify(reasons)}`);
console.log(`events before SIGTERM: ${counts.answered + counts.lost}, answered ${counts.answered}, lost ${counts.lost}`);
console.log(`the app closed in ${seconds(endedAt - before)}, and was there again ${seconds(startedAt - endedAt)} later`);
console.log(`clients were away for ${seconds(away[CLIENTS / 2])} (median), ${seconds(away.at(-1))} (longest)`);
console.log(`${new Date().toISOString().slice(0, 10)}, Node ${process.versions.node}, ${machine()}`);
master.kill('SIGTERM');
await once(master, 'exit');

/** One that asks again and again, with the delays of the official client. */
async function connect(transports) {
  const client = io(`http://127.0.0.1:${port}`, { forceNew: true, transports });
  let leftAt;
  client.on('connect', () => leftAt !== undefined && away.push(performance.now() - leftAt));
  client.on('disconnect', reason => {
    if (reason === 'io client disconnect') return;
    leftAt = performance.now();
    reasons[reason] = (reasons[reason] ?? 0) + 1;
  });
  await once(client, 'connect');
  void ask(client);
  return client;
}

async function ask(client) {
  await wait(Math.random() * PAUSE);
  while (!ended.signal.aborted) {
    const left = once(client, 'disconnect');
    const isAnswered = await Promise.race([client.emitWithAck('work'), left.then(() => false)]);
    counts[isAnswered ? 'answered' : 'lost']++;
    await wait(PAUSE);
  }
}

async function start() {
  const framework = dirname(require.resolve('egg/package.json'));
  const options = { baseDir, framework, port, workers: 4 };
  writeFileSync(join(baseDir, 'start.js'), `require(${JSON.stringify(framework)}).startCluster(${JSON.stringify(options)});`);
  const env = { ...process.env, EGG_SERVER_ENV: 'prod', NODE_ENV: 'production', HOME: baseDir };
  const child = fork(join(baseDir, 'start.js'), { cwd: baseDir, env, stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  await new Promise((resolve, reject) => {
    child.on('message', ({ action }) => action === 'egg-ready' && resolve());
    child.once('exit', code => reject(new Error(`the app has ended with ${code}`)));
  });
  return child;
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  await new Promise(resolve => server.close(resolve));
  return port;
}

async function wait(ms) {
  await new Promise(resolve => setTimeout(resolve, ms));
}

function seconds(ms) {
  return `${(ms / 1000).toFixed(1)} s`;
}
