/**
 * What a deploy costs clients: `npm run bench:deploy`. An app of 4 workers is told to end by SIGTERM while 300 clients of the official library
 * wait for answers, and is started again as soon as it has ended. Prints the reasons of the disconnect, the answers that were lost, and how
 * long clients were away.
 */
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { io } from 'socket.io-client';
import { seconds, startMaster, writeApp } from './deployed.mjs';
import { machine } from './machine.mjs';
import { freePort } from './port.mjs';

const KINDS = [['polling'], ['websocket'], ['polling', 'websocket']];
const CLIENTS = 300;
/** How long a handler takes, and how long a client waits after an answer, in ms. */
const [WORK, PAUSE] = [200, 300];

const FILES = {
  'config/config.default.js': `exports.keys = 'deploy'; exports.logger = { consoleLevel: 'NONE' }; exports.cluster = { listen: { hostname: '127.0.0.1' } };`,
  'app/io/controller/home.js': `exports.work = async () => { await new Promise(resolve => setTimeout(resolve, ${WORK})); return true; };`,
  'app/router.js': `module.exports = app => app.io.route('work', app.io.controller.home.work);`,
};

const baseDir = writeApp(FILES);
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
  const child = startMaster(baseDir, { port, workers: 4 }, {}, 'ignore');
  await new Promise((resolve, reject) => {
    child.on('message', ({ action }) => action === 'egg-ready' && resolve());
    child.once('exit', code => reject(new Error(`the app has ended with ${code}`)));
  });
  return child;
}
