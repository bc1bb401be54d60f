/**
 * What a rolling restart costs clients: `npm run bench:rolling`. Two servers of two workers behind HAProxy, with the configuration of the guide to
 * deployment, are restarted one after the other while 1,000 clients of the official library send an event every second. Prints a line for each way
 * to restart, and for each kind of client: `official`, with `retries`, and with `move()`.
 *
 *   npm run bench:rolling -- --clients 100 --by master,egg-scripts,worker --kinds move
 */
import { execFile, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { parseArgs, promisify } from 'node:util';
import { FRAMEWORK, seconds, startMaster, writeApp } from './deployed.mjs';
import { machine } from './machine.mjs';
import { freePort } from './port.mjs';
import { childrenOf, isStartedBy } from './processes.mjs';

const ROOT = join(import.meta.dirname, '..');
const EGG_SCRIPTS = join(ROOT, 'node_modules/@eggjs/scripts/bin/run.js');
const WORKERS = 2;
const WAYS = {
  master: server => server.restart(),
  'egg-scripts': server => server.restartByScripts(),
  worker: server => server.restartWorkers(),
};

const { values } = parseArgs({
  options: {
    clients: { type: 'string', default: '1000' },
    by: { type: 'string', default: Object.keys(WAYS).join() },
    kinds: { type: 'string', default: 'official,retries,move' },
    drain: { type: 'string', default: '10000' },
  },
});
const clients = Number(values.clients);
const drain = Number(values.drain);
/** What Egg has to leave a worker, and egg-scripts Egg. */
const CLOSE_TIMEOUT = drain + 5000;
const TIMEOUTS = { EGG_APP_CLOSE_TIMEOUT: String(CLOSE_TIMEOUT), GRACEFUL_TIMEOUT: String(CLOSE_TIMEOUT) };

class EggServer {
  #baseDir;
  #master;
  #output = '';

  static async start(files, title) {
    const server = new EggServer();
    server.port = await freePort();
    server.title = title;
    server.#baseDir = writeApp(files);
    return server;
  }

  async start() {
    this.#master = startMaster(this.#baseDir, { port: this.port, workers: WORKERS }, TIMEOUTS, 'pipe');
    this.#master.stdout.setEncoding('utf8').on('data', text => (this.#output += text));
    await this.#ready();
  }

  async stop() {
    this.#master.kill('SIGTERM');
    await once(this.#master, 'exit');
  }

  async restart() {
    await this.stop();
    await this.start();
  }

  async startByScripts() {
    await this.#scripts('start', '--daemon', `--workers=${WORKERS}`, `--port=${this.port}`, `--framework=${FRAMEWORK}`, '--ignore-stderr');
    await this.#ready();
  }

  async stopByScripts() {
    await this.#scripts('stop', `--timeout=${CLOSE_TIMEOUT + 1000}`);
  }

  async restartByScripts() {
    await this.stopByScripts();
    await this.startByScripts();
  }

  /** Egg's master starts another one in place of each. */
  async restartWorkers() {
    for (const pid of childrenOf(this.#master.pid).filter(child => isStartedBy('app_worker', child))) {
      const from = this.#output.length;
      process.kill(pid, 'SIGTERM');
      while (!/app_worker#\d+:\d+ started/.test(this.#output.slice(from))) await wait(50);
    }
  }

  remove() {
    rmSync(this.#baseDir, { recursive: true, force: true, maxRetries: 5 });
  }

  async #scripts(...args) {
    await promisify(execFile)(process.execPath, [EGG_SCRIPTS, ...args, `--title=${this.title}`], {
      cwd: this.#baseDir,
      env: { ...process.env, HOME: this.#baseDir, ...TIMEOUTS },
    });
  }

  async #ready() {
    const isReady = async () =>
      fetch(`http://127.0.0.1:${this.port}/-/io/health/ready`).then(
        ({ ok }) => ok,
        () => false,
      );
    while (!(await isReady())) await wait(100);
    await wait(2000); // HAProxy asks twice
  }
}

const redisPort = await freePort();
const redis = spawn('redis-server', ['--port', String(redisPort), '--bind', '127.0.0.1', '--save', ''], { stdio: 'ignore' });
const files = {
  'config/config.default.js': `exports.keys = 'rolling'; exports.logger = { level: 'WARN' }; exports.cluster = { listen: { hostname: '127.0.0.1' } };
    exports.io = {
      health: true,
      drain: { timeout: ${drain} },
      redis: { host: '127.0.0.1', port: ${redisPort} },
      init: { connectionStateRecovery: {}, cookie: 'io' },
    };`,
  'app/io/controller/home.js': `exports.work = async () => { await new Promise(resolve => setTimeout(resolve, 100)); return true; };`,
  'app/router.js': `module.exports = app => app.io.route('work', app.io.controller.home.work);`,
};
const servers = [];
for (const name of ['one', 'two']) servers.push(await EggServer.start(files, `rolling-${process.pid}-${name}`));
const front = await freePort();
const haproxyFile = join(mkdtempSync(join(tmpdir(), 'rolling-haproxy-')), 'haproxy.cfg');
const [, sample = ''] = /```haproxy\n([^]*?)```/.exec(readFileSync(join(ROOT, 'docs/deployment.md'), 'utf8')) ?? [];
writeFileSync(
  haproxyFile,
  `global\n  maxconn 6000\n${sample.replace('bind :80', `bind 127.0.0.1:${front}`).replace(':7001', `:${servers[0].port}`).replace(':7002', `:${servers[1].port}`)}`,
);
const haproxy = spawn('/usr/sbin/haproxy', ['-db', '-f', haproxyFile], { stdio: ['ignore', 'ignore', 'inherit'] });

try {
  console.log(
    `${clients} clients, half of which begin with polling and upgrade, four of ten WebSocket only, one of ten polling only; an event a second each, handlers of 100 ms`,
  );
  console.log(`2 servers of ${WORKERS} workers behind HAProxy, drain.timeout ${drain} ms, recovery over Redis`);
  for (const by of values.by.split(',')) for (const kind of values.kinds.split(',')) await measure(by, kind);
  console.log(`${new Date().toISOString().slice(0, 10)}, Node ${process.versions.node}, ${machine()}`);
} finally {
  haproxy.kill();
  redis.kill();
  for (const server of servers) server.remove();
  rmSync(dirname(haproxyFile), { recursive: true });
}

async function measure(by, kind) {
  const isByScripts = by === 'egg-scripts';
  await Promise.all(servers.map(async server => (isByScripts ? server.startByScripts() : server.start())));
  const options = { url: `http://127.0.0.1:${front}`, kind, count: clients, clientPath: join(ROOT, 'dist/client/client.mjs') };
  const generator = fork(join(import.meta.dirname, 'rolling-clients.mjs'), [JSON.stringify(options)], { stdio: 'inherit' });
  await once(generator, 'message');
  await wait(2000);
  for (const server of servers) await WAYS[by](server);
  await wait(3000);
  generator.send('end');
  const [result] = await once(generator, 'message');
  report(by, kind, result);
  await Promise.all(servers.map(async server => (isByScripts ? server.stopByScripts() : server.stop())));
}

function report(by, kind, { reasons, away, latencies, sent, answered, lost, kept, load, delay }) {
  const line = {
    by,
    kind,
    disconnects: reasons,
    away: away.length === 0 ? 'never' : quantiles(away),
    'ack latency': quantiles(latencies),
    sent,
    answered,
    lost,
    'ids kept': `${kept} of ${clients}`,
    generator: `${Math.round(load * 100)} % of a core, p99 of its delays ${Math.round(delay)} ms`,
  };
  console.log(JSON.stringify(line));
}

/** Median, 99th percentile and maximum, in s. */
function quantiles(times) {
  times.sort((a, b) => a - b);
  return [0.5, 0.99, 1].map(share => seconds(times[Math.ceil(times.length * share) - 1])).join(' / ');
}
