/**
 * `npm run soak`: a million packets and 50,000 connections of every kind against a real app, to see whether anything of them is left.
 * After every phase all clients have gone: then every table of connections has to be empty. At the end the heap has to be where it was after
 * a warm-up. Takes a minute or two; exits with 1, and says what is left, if there is a leak.
 *
 * npm run soak -- --packets 10000 --cycles 500   a shorter one
 * npm run soak -- --minutes 60                   again and again for an hour
 * npm run soak -- --host egg3                    on egg 3
 * npm run soak -- --leak                         with a leak, to see it found
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { globalAgent } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { io as connectTo } from 'socket.io-client';
import connectTo2 from 'socket.io-client-2';
import { WebSocket } from 'ws';
import { logIn } from './login.mjs';

/**
 * How much the heap may have grown at the end, in bytes. What the engine itself keeps, as optimized code, stays far below. A leak does not:
 * the rarest kind of packet comes 40,000 times, the rarest connection 2,500 times, and what is kept of a packet takes more than 50 bytes,
 * of a connection several hundred.
 */
const GROWTH = 1024 * 1024;
/** So many objects may be kept by Node, which holds on to the last ones. */
const STRAGGLERS = 5;
/** How long a phase may take, in ms. */
const PATIENCE = 300_000;
/** The part of all packets and connections that comes before the heap is first measured. */
const WARM_UP = 0.1;
/** Clients at a time, and packets that one sends before it waits until they have been handled. */
const CLIENTS = 20;
const BURST = 50;

/** Kinds of packets: their share of all, and how a client sends the nth of a burst. */
const PACKETS = {
  'echo with acknowledgement': [0.4, (client, n) => client.emit('echo', { n }, () => {})],
  'one-way': [0.2, (client, n) => client.emit('note', { n })],
  binary: [0.1, (client, n) => client.emit('echo', Buffer.alloc(200, n), () => {})],
  'errors of controllers': [0.04, (client, n) => (n % 2 ? client.emit('fail') : client.emit('fail', () => {}))],
  'dropped by middleware': [0.1, (client, n) => (n % 2 ? client.emit('unwanted') : client.emit('unwanted', () => {}))],
  'events without a route': [0.08, (client, n) => client.emit('unknown', n)],
  'rooms joined and left': [0.08, (client, n) => client.emit(n % 2 ? 'leave' : 'enter', `room ${n >> 1}`)],
};

/** Kinds of connections: their share of all, and the life of one. */
const CONNECTIONS = {
  'websocket, leaves': [0.2, async () => leave(await connected(connect('/')))],
  'polling, leaves': [0.15, async () => leave(await connected(connect('/', { transports: ['polling'] })))],
  'polling, upgrades, leaves': [0.05, async () => leave(await upgraded(connect('/', { transports: ['polling', 'websocket'] })))],
  // of newer Nodes this client takes the WebSocket that cannot send a cookie
  'polling with protocol 3, leaves': [0.1, async () => leave(await connected(connect('/', { transports: ['polling'] }, connectTo2)))],
  'websocket, cut off': [0.15, () => cutOff('40', /^40\{/)],
  'cut off within a packet': [0.05, () => cutOff('40', '451-["echo",{"_placeholder":true,"num":0}]', /^40\{/)],
  'ended by a limit': [0.05, () => ended('40', `42["${'x'.repeat(201)}"]`)],
  'refused by middleware': [0.15, async () => leave(await refused(connect('/closed')))],
  // once the second answer has come, the middleware of the first runs
  'cut off while middleware is pending': [0.1, () => cutOff('40/pending,', '40', /^40\{/)],
};

const { values: options } = parseArgs({
  options: {
    packets: { type: 'string', default: '1000000' },
    cycles: { type: 'string', default: '50000' },
    minutes: { type: 'string', default: '0' },
    host: { type: 'string', default: 'egg4' },
    leak: { type: 'boolean', default: false },
  },
});
const folder = await mkdtemp(join(tmpdir(), 'soak-'));
const { NODE_V8_COVERAGE: _, ...env } = process.env; // it would keep what it counts
const server = fork(fileURLToPath(new URL('soak-server.mjs', import.meta.url)), [options.host, ...(options.leak ? ['leak'] : [])], {
  execArgv: ['--disable-warning=ExperimentalWarning'], // to count objects is an experiment of Node's
  env: { ...env, EGG_SERVER_ENV: 'prod', NODE_ENV: 'production', SOAK_DIR: folder },
  stdio: ['ignore', 'ignore', 'inherit', 'ipc'], // egg says on the console that it starts
});
let cookie;
let url;
try {
  await main();
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
} finally {
  server.kill();
  await rm(folder, { recursive: true, force: true });
}
process.exit(); // a phase that was not done in time may still be waiting

async function main() {
  const { port, version } = await answer();
  url = `http://127.0.0.1:${port}`;
  cookie = await logIn(url);
  const [packets, cycles] = [Number(options.packets), Number(options.cycles)];
  console.log(`Node ${process.versions.node}, egg ${version}: ${packets} packets, ${cycles} connections`);

  const before = await phase('warm-up', async () => {
    for (const [share, send] of Object.values(PACKETS)) await sendPackets(packets * share * WARM_UP, send);
    for (const [share, live] of Object.values(CONNECTIONS)) await connections(cycles * share * WARM_UP, live);
  });
  const prototypes = await ask('alive'); // those of sockets count as sockets
  let after = before;
  const end = performance.now() + Number(options.minutes) * 60_000;
  do {
    for (const [name, [share, send]] of Object.entries(PACKETS)) after = await phase(name, () => sendPackets(packets * share, send));
    for (const [name, [share, live]] of Object.entries(CONNECTIONS)) after = await phase(name, () => connections(cycles * share, live));
  } while (performance.now() < end);

  const growth = after.heap - before.heap;
  if (growth > GROWTH) throw new Error(`The heap has grown by ${inMB(growth)} since the warm-up. Alive: ${list(await ask('alive'))}`);
  check('These objects are still referred to', await ask('alive'), name => prototypes[name] + STRAGGLERS);
  check('There is more of these than after the warm-up', after.open, name => before.open[name] ?? 0);
  console.log(`Nothing is left. The heap has grown by ${inMB(growth)} since the warm-up; up to ${inMB(GROWTH)} are no leak.`);
}

/** Runs a part, prints a line, and returns what the server holds then. Throws if it still holds anything of a client. */
async function phase(name, run) {
  const start = performance.now();
  await inTime(name, run());
  const seconds = (performance.now() - start) / 1000;
  globalAgent.destroy(); // closes what polling has kept open
  const result = await ask('census');
  console.log(`${name.padEnd(36)} ${seconds.toFixed(1).padStart(6)} s  heap ${inMB(result.heap)}`);
  check('The server still has', result.tables, () => 0);
  return result;
}

async function inTime(name, running) {
  const patience = new AbortController();
  const late = wait(PATIENCE, undefined, { signal: patience.signal }).then(() => {
    throw new Error(`${name}: not done after ${PATIENCE / 60_000} minutes`);
  });
  await Promise.race([running, late]).finally(() => patience.abort());
}

/** Throws if there is more of anything than allowed. */
function check(problem, counts, allowed) {
  const tooMany = Object.entries(counts).filter(([name, count]) => count > allowed(name));
  if (tooMany.length > 0) throw new Error(`All clients have gone. ${problem}: ${list(Object.fromEntries(tooMany))}`);
}

async function sendPackets(count, send) {
  const perClient = Math.ceil(count / CLIENTS);
  await Promise.all(
    Array.from({ length: CLIENTS }, async () => {
      const client = await connected(connect('/'));
      client.on('error', () => {}); // what a controller throws
      for (let sent = 0; sent < perClient; sent += BURST) {
        for (let n = 1; n < BURST; n++) send(client, n);
        await client.emitWithAck('echo', 'all of these have been handled');
      }
      leave(client);
    }),
  );
}

async function connections(count, live) {
  let begun = 0;
  await Promise.all(
    Array.from({ length: CLIENTS }, async () => {
      while (begun++ < count) await live();
    }),
  );
}

function connect(namespace, options = {}, io = connectTo) {
  return io(url + namespace, { forceNew: true, reconnection: false, transports: ['websocket'], extraHeaders: { cookie }, ...options });
}

async function connected(client) {
  await new Promise((resolve, reject) => {
    client.once('connect', resolve);
    client.once('connect_error', reject);
    client.once('error', message => reject(new Error(message))); // how protocol 3 refuses
  });
  return client;
}

async function upgraded(client) {
  await Promise.all([connected(client), new Promise(resolve => client.io.once('open', () => client.io.engine.once('upgrade', resolve)))]);
  return client;
}

async function refused(client) {
  await new Promise((resolve, reject) => {
    client.once('connect_error', resolve);
    client.once('connect', () => reject(new Error('A client that is to be refused was let in')));
  });
  return client;
}

function leave(client) {
  client.disconnect();
}

/** Sends some packets by hand, waits for a frame, and breaks the TCP connection. */
async function cutOff(...packets) {
  const pattern = packets.pop();
  const webSocket = new WebSocket(`${url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`, { headers: { cookie } });
  webSocket.once('open', () => packets.forEach(packet => webSocket.send(packet)));
  await new Promise((resolve, reject) => {
    webSocket.on('message', data => pattern.test(data) && resolve());
    webSocket.once('close', () => reject(new Error('A connection was closed before it was cut off')));
  });
  webSocket.terminate();
}

/** Sends packets by hand, for which the server has to end the connection. */
async function ended(...packets) {
  const webSocket = new WebSocket(`${url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`, { headers: { cookie } });
  webSocket.once('open', () => packets.forEach(packet => webSocket.send(packet)));
  await new Promise(resolve => webSocket.once('close', resolve));
}

async function ask(question) {
  server.send(question);
  return answer();
}

/** The next message of the server. Rejects if it ends. */
async function answer() {
  const aborter = new AbortController();
  const { signal } = aborter;
  try {
    return await Promise.race([
      once(server, 'message', { signal }).then(([message]) => message),
      once(server, 'exit', { signal }).then(([code]) => {
        throw new Error(`The server has ended with ${code}`);
      }),
    ]);
  } finally {
    aborter.abort();
  }
}

function list(counts) {
  return Object.entries(counts)
    .map(([name, count]) => `${count} ${name}`)
    .join(', ');
}

function inMB(bytes) {
  return `${(bytes / 1024 / 1024).toFixed(2)} MB`;
}
