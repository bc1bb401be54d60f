/** Session routing in clusters. What Egg has no part in is in test/once/cluster-routing.test.ts. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync, statSync } from 'node:fs';
import { Agent, type IncomingMessage, request } from 'node:http';
import { Agent as SecureAgent, request as secureRequest } from 'node:https';
import { connect as connectTcp, type Socket as TcpSocket } from 'node:net';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { createGunzip } from 'node:zlib';
import type { Files } from './support/app';
import { ask, type Client, type ClientOptions, type ClientVersion, connect, next } from './support/client';
import { type Cluster, type ClusterOptions, runFoldersOf, shareCluster, startCluster } from './support/cluster';
import { processesOf } from './support/processes';
import { openPolling } from './support/raw';
import { newCertificate } from './support/tls';
import { until } from './support/until';

const FILES: Files = {
  'app.js': `
    module.exports = class {
      constructor(app) { this.app = app; }
      willReady() {
        const { io } = this.app;
        const bind = io.bind.bind(io);
        io.bind = engine => {
          engine.on('headers', (headers, request) => {
            const { remoteAddress, remotePort, encrypted = false } = request.socket;
            headers['x-peer'] = [remoteAddress, remotePort, encrypted, Object.keys(request.headers).filter(name => /peer/.test(name)).length, request.rawHeaders.length / 2].join(' ');
          });
          return bind(engine);
        };
      }
    };`,
  'app/io/controller/home.js': `
    exports.echo = async ctx => ctx.args[0];
    exports.who = async ctx => {
      const { socket } = ctx;
      const { address, secure, headers } = socket.handshake;
      const carrier = socket.conn.transport.socket?._socket;
      return {
        pid: process.pid, worker: String(require('node:cluster').worker.id), transport: socket.conn.transport.name, isPiped: carrier?._handle?.constructor.name === 'Pipe',
        address, secure, cookie: headers.cookie, host: headers.host, ip: ctx.ip, session: ctx.session.user,
      };
    };
    exports.held = async ctx => Object.keys(ctx.app.io.engine.clients);`,
  'app/router.js': `
    module.exports = app => {
      const { echo, who, held } = app.io.controller.home;
      app.router.get('/login', async ctx => { ctx.session = { user: 'anna' }; ctx.body = 'in'; });
      app.router.get('/pid', async ctx => { ctx.body = String(process.pid); });
      app.router.get('/polls', async ctx => { ctx.body = Object.values(app.io.engine.clients).filter(({ transport }) => transport.writable).length; });
      let connects = 0;
      require('node:diagnostics_channel').subscribe('net.client.socket', () => connects++);
      app.router.get('/connects', async ctx => { ctx.body = process.pid + ': ' + connects; });
      app.io.route('echo', echo);
      app.io.route('who', who);
      app.io.route('held', held);
      app.io.route('wait', () => new Promise(() => {})); // such a handler is waited for when the worker is to end
    };`,
  'config/config.default.js': 'exports.io = { init: { maxHttpBufferSize: 250_000 } };',
};

interface Who {
  pid: number;
  worker: string;
  transport: string;
  isPiped: boolean;
  address: string;
  secure: boolean;
  cookie?: string;
  host: string;
  ip: string;
  session?: string;
}

/** As many as make it improbable that each request reaches its owner by chance; egg gives connections to workers in turn. */
const WORKERS = 3;

async function start(t: TestContext, options: Partial<ClusterOptions> = {}, files: Files = {}): Promise<Cluster> {
  return startCluster(t, { ...FILES, ...files }, { workers: WORKERS, ...options });
}

const shared = shareCluster(FILES, async () => ({ workers: WORKERS }));

/** For the tests that end or stop workers. Egg starts others for those that have ended. */
const sharedByEnds = shareCluster(FILES, async () => ({ workers: WORKERS }));

const sharedWithHttps = shareCluster(FILES, async file => ({ workers: WORKERS, https: await newCertificate(file) }));

async function upgraded(client: Client): Promise<void> {
  const { engine } = client.io;
  if (engine.transport.name !== 'websocket') await next(engine as unknown as NodeJS.EventEmitter, 'upgrade'); // its own emitter, of the same shape
}

async function connectAll(t: TestContext, url: string, count: number, options: ClientOptions, version?: ClientVersion): Promise<Client[]> {
  return Promise.all(Array.from({ length: count }, () => connect(t, url, options, version)));
}

/** A client at each worker, by the worker. */
async function connectToEach(t: TestContext, url: string): Promise<Map<string, Client>> {
  const clients = new Map<string, Client>();
  while (clients.size < WORKERS) {
    const client = await connect(t, url, { transports: ['websocket'] });
    const { worker } = (await ask(client, 'who')) as Who;
    if (clients.has(worker)) client.disconnect();
    else clients.set(worker, client);
  }
  return clients;
}

function sidOf(client: Client): string {
  return client.io.engine.id ?? assert.fail('it has not connected');
}

interface Answer {
  status: number | undefined;
  headers: IncomingMessage['headers'];
  text: string;
}

/** One request over a TCP connection of its own, unless told: the next worker gets it. */
async function send(
  address: string,
  {
    method = 'GET',
    headers = {},
    body = '',
    agent = false,
  }: { method?: string; headers?: Record<string, string>; body?: string; agent?: Agent | false } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const options = { method, headers: { 'content-type': 'text/plain;charset=UTF-8', ...headers }, agent, rejectUnauthorized: false };
    const outgoing = (address.startsWith('https:') ? secureRequest : request)(address, options);
    outgoing.once('error', reject);
    outgoing.once('response', answer => {
      let text = '';
      const body = answer.headers['content-encoding'] === 'gzip' ? answer.pipe(createGunzip()) : answer;
      body.setEncoding('utf8').on('data', (part: string) => (text += part));
      body.once('end', () => resolve({ status: answer.statusCode, headers: answer.headers, text }));
      body.once('error', reject);
    });
    outgoing.end(body);
  });
}

/** A way to each worker, by its process id: all that is sent with one goes over the same TCP connection. */
async function agentOfEach(t: TestContext, url: string): Promise<Map<string, Agent>> {
  const agents = new Map<string, Agent>();
  while (agents.size < WORKERS) {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    t.after(() => agent.destroy());
    agents.set((await send(`${url}/pid`, { agent })).text, agent);
  }
  return agents;
}

/** Begins a session. The worker that has it. */
async function ownerOfNew(url: string, agent: Agent): Promise<string> {
  const { status, text } = await send(`${url}/socket.io/?EIO=4&transport=polling`, { agent });
  assert.equal(status, 200, text);
  const { sid } = JSON.parse(text.slice(1)) as { sid: string };
  return sid.split('.')[0] ?? '';
}

// the first of all: nobody else's session counts
for (const isSecure of [false, true]) {
  test(`sessions that begin over one ${isSecure ? 'secure ' : ''}connection spread over all workers, and each knows its client`, async t => {
    const { url } = isSecure ? await sharedWithHttps() : await shared();
    const login = await send(`${url}/login`);
    const cookie = (login.headers['set-cookie'] ?? []).map(one => one.split(';')[0]).join('; ');
    const handshake = `${url}/socket.io/?EIO=4&transport=polling`;
    const sessions = [];
    for (const localAddress of ['127.0.0.1', '127.0.0.2']) {
      const agent = new (isSecure ? SecureAgent : Agent)({ keepAlive: true, maxSockets: 1, localAddress });
      t.after(() => agent.destroy());
      for (let n = 0; n < 30; n++) {
        const { status, headers, text } = await send(handshake, { agent, headers: { cookie, host: `${localAddress}.example` } });
        const { sid } = JSON.parse(text.slice(1)) as { sid: string };
        const [address, , secure, peerHeaders] = String(headers['x-peer']).split(' ');
        assert.deepEqual([status, address, secure, peerHeaders], [200, localAddress, String(isSecure), '0']);
        assert.equal(headers['x-egg-socket.io-peer'], undefined);
        sessions.push({ sid, localAddress });
      }
    }
    const held = new Map<string, number>();
    for (const { sid } of sessions) {
      const [owner = ''] = sid.split('.');
      held.set(owner, (held.get(owner) ?? 0) + 1);
    }
    assert.equal(held.size, WORKERS);
    assert.ok(Math.max(...held.values()) / Math.min(...held.values()) <= 1.3, [...held.values()].join(' '));
    for (const { sid, localAddress } of sessions) {
      const polling = `${handshake}&sid=${sid}`;
      await send(polling, { method: 'POST', body: '40' });
      await send(polling, { method: 'POST', body: '420["who"]' });
      let answer: string | undefined;
      while (answer === undefined) [, answer] = /430\[(.*)\]/.exec((await send(polling)).text) ?? [];
      const { worker, address, secure, host, ip, session } = JSON.parse(answer) as Who;
      assert.deepEqual(
        [worker, address, secure, host, ip, session],
        [sid.split('.')[0], localAddress, isSecure, `${localAddress}.example`, localAddress, 'anna'],
      );
    }
  });
}

for (const version of [2, 3, 4] as const) {
  test(`any worker serves client ${version}, and its session stays with one`, async t => {
    const { url } = await shared();
    const owners = new Set<string>();
    for (const transports of [['polling'], ['websocket'], ['polling', 'websocket']]) {
      const clients = await connectAll(t, url, 6, { transports }, version);
      let piped = 0;
      for (const client of clients) {
        if (transports.length > 1) await upgraded(client);
        const who = (await ask(client, 'who')) as Who;
        assert.equal(who.transport, transports.at(-1));
        assert.equal(sidOf(client).split('.')[0], who.worker);
        assert.deepEqual([who.address, who.secure], ['127.0.0.1', false]);
        if (version === 2) assert.equal(client.id, sidOf(client)); // the one id that its protocol has, the same at both ends
        owners.add(who.worker);
        if (who.isPiped) piped++;
        for (const length of [10, 200_000]) assert.equal(await ask(client, 'echo', 'x'.repeat(length)), 'x'.repeat(length));
        assert.deepEqual(await ask(client, 'echo', Buffer.from([1, 2, 3])), Buffer.from([1, 2, 3]));
      }
      if (transports.length > 1) assert.ok(piped > 0, 'some upgrades have come by way of another worker');
      else if (transports[0] === 'websocket') assert.equal(piped, 0, 'what begins as a WebSocket is at its owner');
    }
    assert.equal(owners.size, WORKERS, 'all have a share');
  });
}

test('messages of a session that is piped keep their order, both ways', async t => {
  const { url } = await shared();
  const clients = await connectAll(t, url, 4, { transports: ['polling', 'websocket'] });
  for (const client of clients) {
    const numbers = Array.from({ length: 500 }, (_, n) => n); // while it upgrades, and after
    assert.deepEqual(await Promise.all(numbers.map(n => ask(client, 'echo', n))), numbers);
  }
});

test('a long answer is compressed, and the session goes on, whichever worker it comes by', async t => {
  const { url } = await shared();
  const polling = await openPolling(url);
  await send(polling, { method: 'POST', body: '40' });
  await send(polling); // the answer to that
  const long = 'x'.repeat(2000);
  for (const agent of (await agentOfEach(t, url)).values()) {
    assert.equal((await send(polling, { method: 'POST', body: `421["echo","${long}"]` })).text, 'ok');
    const { headers, text } = await send(polling, { headers: { 'accept-encoding': 'gzip' }, agent });
    assert.deepEqual([headers['content-encoding'], text], ['gzip', `431["${long}"]`]);
  }
});

test('a client that asks for the connection of workers does not get it', async () => {
  const { url } = await shared();
  const polling = await openPolling(url);
  const { host, hostname, port, pathname, search } = new URL(polling.replace('transport=polling', 'transport=websocket'));
  const forged = `x-egg-socket.io-peer: ${'0'.repeat(64)} link`;
  for (let n = 0; n < WORKERS; n++) {
    const socket = connectTcp(Number(port), hostname);
    socket.write(`GET ${pathname}${search} HTTP/1.1\r\nhost: ${host}\r\nconnection: upgrade\r\nupgrade: link\r\n${forged}\r\n\r\n`);
    assert.match(await textOf(socket), /^HTTP\/1\.1 400 /);
  }
});

test('over HTTPS it is the same, and the owner knows that the client’s connection is secure', async t => {
  const { url } = await sharedWithHttps();
  for (const transports of [['polling'], ['polling', 'websocket']]) {
    const clients = await connectAll(t, url, 4, { transports, rejectUnauthorized: false });
    for (const client of clients) {
      if (transports.length > 1) await upgraded(client);
      const who = (await ask(client, 'who')) as Who;
      assert.deepEqual([who.worker, who.secure, who.address], [sidOf(client).split('.')[0], true, '127.0.0.1']);
    }
  }
});

test('the session of a login is there, whichever workers the login, the handshake and the packets come to', async t => {
  const { url } = await shared();
  const { headers } = await send(`${url}/login`);
  const cookie = (headers['set-cookie'] ?? []).map(one => one.split(';')[0]).join('; ');
  for (const client of await connectAll(t, url, 3, { transports: ['polling'], extraHeaders: { cookie } })) {
    const who = (await ask(client, 'who')) as Who;
    assert.deepEqual([who.session, who.cookie], ['anna', cookie]);
  }
});

test('at the owner each request looks like the client’s own, and nobody can say otherwise', async t => {
  const { url } = await shared();
  const polling = await openPolling(url);
  const forged = { 'x-egg-socket.io-peer': `${'0'.repeat(64)} tls 1 6.6.6.6` };
  const peers: string[] = [];
  for (const agent of (await agentOfEach(t, url)).values()) {
    const body = peers.length === 0 ? '40' : '42["echo"]';
    const { status, headers } = await send(polling, { method: 'POST', body, headers: forged, agent });
    assert.equal(status, 200);
    const [address, port, isSecure, peerHeaders] = String(headers['x-peer']).split(' ');
    assert.ok(Number(port) > 1024);
    peers.push([address, isSecure, peerHeaders].join(' '));
  }
  assert.deepEqual(peers, Array(WORKERS).fill('127.0.0.1 false 1')); // with the forged header, of which nobody makes anything
});

test('a body that comes slowly, in one piece or in chunks, arrives whole', async () => {
  const { url } = await shared();
  const polling = await openPolling(url);
  assert.equal((await send(polling, { method: 'POST', body: '40' })).text, 'ok');
  await send(polling); // the answer to that
  const packets = ['42["echo",1]', '421["echo","slow"]'].join('\x1e');
  const { host, hostname, port, pathname, search } = new URL(polling);
  for (const head of ['transfer-encoding: chunked', `content-length: ${packets.length}`]) {
    for (let n = 0; n < WORKERS; n++) {
      const socket = connectTcp(Number(port), hostname);
      await once(socket, 'connect');
      socket.write(
        `POST ${pathname}${search} HTTP/1.1\r\nhost: ${host}\r\ncontent-type: text/plain\r\nconnection: close\r\n${head}\r\n\r\n`,
      );
      for (const char of packets) {
        socket.write(head.startsWith('t') ? `1\r\n${char}\r\n` : char);
        await new Promise(resolve => setImmediate(resolve)); // so that it is not one write
      }
      if (head.startsWith('t')) socket.write('0\r\n\r\n');
      assert.match(await textOf(socket), /^HTTP\/1\.1 200 OK\r\n[\s\S]*ok/);
      assert.match((await send(polling)).text, /431\["slow"\]/);
    }
  }
});

test('a body that is too long gets the answer of Socket.IO, whichever worker it comes to', async () => {
  const { url } = await shared();
  let answered = 0;
  for (let n = 0; n < 20 * WORKERS; n++) {
    const polling = await openPolling(url);
    if (n % 2 === 0) await send(`${url}/nowhere`); // another worker's turn
    // an owner that is asked itself cuts the connection while it answers, which the client may see first
    const cut = (error: NodeJS.ErrnoException): Pick<Answer, 'status'> => ({
      status: error.code === 'ECONNRESET' || error.code === 'EPIPE' ? 413 : 0,
    });
    const { status } = await send(polling, { method: 'POST', body: 'x'.repeat(n % 3 === 0 ? 260_000 : 1_000_000) }).catch(cut);
    if (status === 413) answered++;
  }
  assert.equal(answered, 20 * WORKERS);
});

test('a request that the client gives up ends at the owner, too: its session closes and nothing stays', async t => {
  const { url } = await shared();
  const observers = await connectToEach(t, url);
  for (let n = 0; n < WORKERS; n++) {
    const polling = await openPolling(url);
    const sid = new URL(polling).searchParams.get('sid') ?? '';
    const observer = observers.get(sid.split('.')[0] ?? '') ?? assert.fail('there is no such worker');
    const isHeldThere = async (): Promise<boolean> => ((await ask(observer, 'held')) as string[]).includes(sid);
    for (let skipped = 0; skipped < n; skipped++) await send(`${url}/nowhere`);
    const { host, hostname, port, pathname, search } = new URL(polling);
    const socket = connectTcp(Number(port), hostname);
    await once(socket, 'connect');
    socket.write(`GET ${pathname}${search} HTTP/1.1\r\nhost: ${host}\r\n\r\n`); // there is nothing to answer yet
    assert.ok(await isHeldThere());
    socket.destroy();
    await until(t, async () => !(await isHeldThere()));
  }
});

const UNKNOWN = '{"code":1,"message":"Session ID unknown"}';

test('an id that no worker has given is answered as Socket.IO does, wherever it points to', async () => {
  const { url, baseDir } = await shared();
  const polling = await openPolling(url);
  const owner = new URL(polling).searchParams.get('sid')?.split('.')[0] ?? '';
  const ids = [
    ...['999.abc', '999999999.abc', '9999999999999999999999.abc', '0.abc', '-1.abc', '1', '.', '1.', `${owner}.`, `${owner}.abc`],
    ...['../hub.abc', '..%2Fhub.abc', '1/../hub.abc', 'hub.abc', '1%00.abc', '١.abc', '0x1.abc', '1e0.abc', '__proto__', 'x'.repeat(5000)],
  ];
  for (const id of ids) {
    for (let n = 0; n < WORKERS; n++) {
      for (const method of ['GET', 'POST']) {
        const { status, text } = await send(`${url}/socket.io/?EIO=4&transport=polling&sid=${encodeURI(id).replaceAll('%25', '%')}`, {
          method,
          body: method === 'GET' ? '' : '40',
        });
        assert.deepEqual([id, status, text], [id, 400, UNKNOWN]);
      }
      assert.match(
        await upgrade(`${url}/socket.io/?EIO=4&transport=websocket&sid=${encodeURI(id).replaceAll('%25', '%')}`),
        /^HTTP\/1\.1 400 Bad Request\r\n[\s\S]*Session ID unknown$/,
      );
    }
  }
  const twice = await send(`${polling}&sid=${owner === '1' ? 2 : 1}.abc`);
  assert.deepEqual([twice.status, twice.text], [400, UNKNOWN], 'of two ids the engine takes the last');
  assert.equal((await send(polling, { method: 'POST', body: '40' })).text, 'ok', 'the session that is there has not been touched');
  assert.equal(runFoldersOf(baseDir).length, 1);
});

test('the private sockets are for the user who runs the app, and answer nobody who does not know the secret', async () => {
  const { url, baseDir } = await shared();
  const [path = assert.fail('there is no folder')] = runFoldersOf(baseDir);
  assert.equal(statSync(path).mode & 0o777, 0o700);
  assert.equal(statSync(join(path, 'secret')).mode & 0o777, 0o600);
  const polling = await openPolling(url);
  const worker = new URL(polling).searchParams.get('sid')?.split('.')[0];
  const secret = readFileSync(join(path, 'secret'), 'utf8');
  const almost = secret.slice(0, -1) + (secret.endsWith('0') ? '1' : '0');
  for (const value of ['', 'é'.repeat(64), almost, secret.slice(0, -1), `${secret}0`]) {
    for (const [what, upgrade] of [
      ['tcp 1 127.0.0.1', ''],
      ['tcp 1 127.0.0.1', 'connection: upgrade\r\nupgrade: websocket\r\n'],
      ['link', 'connection: upgrade\r\nupgrade: link\r\n'],
    ]) {
      const header = value && `x-egg-socket.io-peer: ${value} ${what}\r\n`;
      const socket = connectTcp(join(path, `worker-${worker}.sock`));
      await once(socket, 'connect');
      socket.write(`GET /socket.io/?EIO=4&transport=polling&sid=${worker}.x HTTP/1.1\r\nhost: a\r\n${header}${upgrade}\r\n`, 'latin1');
      assert.equal(await textOf(socket), '');
    }
  }
  const socket = connectTcp(join(path, `worker-${worker}.sock`));
  await once(socket, 'connect');
  const peer = `x-egg-socket.io-peer: ${secret} tcp 1 127.0.0.1\r\n`;
  const upgrade = 'connection: upgrade\r\nupgrade: websocket\r\n';
  socket.write(`GET /socket.io/?EIO=4&transport=websocket&sid=${worker}.x HTTP/1.1\r\nhost: a\r\n${peer}${upgrade}\r\n`);
  assert.match(await textOf(socket), /^HTTP\/1\.1 400 [\s\S]*Session ID unknown/, 'whoever knows it is answered');
});

test('a worker that is gone or hangs gets no session of others', async t => {
  const { url, master } = await sharedByEnds();
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  t.after(() => agent.destroy());
  const pids = new Map<string, number>();
  for (const client of (await connectToEach(t, url)).values()) {
    const { worker, pid } = (await ask(client, 'who')) as Who;
    pids.set(worker, pid);
  }
  const front = (await send(`${url}/pid`, { agent })).text; // by which all that follows goes
  const [killed, hanging] = [...pids].filter(([, pid]) => String(pid) !== front);
  assert.ok(killed && hanging);
  assert.deepEqual(new Set(processesOf(master.pid ?? 0).workers), new Set(pids.values()));
  process.kill(hanging[1], 'SIGSTOP');
  process.kill(killed[1], 'SIGKILL');
  try {
    for (let n = 0; n < 20; n++) {
      const owner = await ownerOfNew(url, agent);
      assert.ok(owner !== killed[0] && owner !== hanging[0], owner);
    }
  } finally {
    process.kill(hanging[1], 'SIGCONT'); // or it does not end with the others
  }
});

test('workers that a client makes up are not connected to, and one that comes later under such a number gets its share', async t => {
  const { url, log } = await sharedByEnds();
  const handshake = `${url}/socket.io/?EIO=4&transport=polling`;
  const before = new Map<string, number>();
  for (const [worker, client] of await connectToEach(t, url)) before.set(worker, ((await ask(client, 'who')) as Who).pid);
  const connects = async (): Promise<string[]> =>
    (await Promise.all(Array.from({ length: WORKERS }, async () => (await send(`${url}/connects`)).text))).toSorted();
  const counted = await connects();
  const toCome = Array.from({ length: 2 * WORKERS }, (_, n) => Math.max(...[...before.keys()].map(Number)) + 1 + n);
  for (const made of toCome) for (let n = 0; n < WORKERS; n++) assert.equal((await send(`${handshake}&sid=${made}.abc`)).status, 400);
  for (const made of toCome) for (let n = 0; n < WORKERS; n++) await upgrade(`${url}/socket.io/?EIO=4&transport=websocket&sid=${made}.abc`);
  assert.deepEqual(await connects(), counted);

  process.kill([...before.values()][0] ?? 0, 'SIGKILL');
  const successor = String(toCome[0]);
  await until(t, async () => (await log()).includes(`worker ${successor}: any worker`));
  const agent = new Agent({ keepAlive: true, maxSockets: 1 }); // all that follows comes to one worker
  t.after(() => agent.destroy());
  await until(t, async () => (await ownerOfNew(url, agent)) === successor);
});

test('a worker that is told to stop takes no new session, though it holds fewer than the others', { timeout: 60_000 }, async t => {
  const { url } = await sharedByEnds();
  const handshake = `${url}/socket.io/?EIO=4&transport=polling`;
  const pids = new Map<string, string>();
  const clients = await connectToEach(t, url);
  for (const [worker, client] of clients) pids.set(String(((await ask(client, 'who')) as Who).pid), worker);
  const agents = await agentOfEach(t, url);
  const toWorker = new Map([...agents].map(([pid, agent]) => [pids.get(pid), agent]));
  const [front = '', victim = ''] = pids.values();
  const shakeHands = async (worker: string): Promise<Answer> => send(handshake, { agent: toWorker.get(worker) ?? assert.fail('nobody') });
  for (let n = 0; n < 6; n++) await shakeHands(front);
  clients.get(victim)?.emit('wait');
  assert.equal(await ask(clients.get(victim) as Client, 'echo', 'after that'), 'after that');
  process.kill(Number([...pids].find(([, worker]) => worker === victim)?.[0]), 'SIGTERM');
  const ownerOf = ({ text }: Answer): string | undefined => /"sid":"(\d+)\./.exec(text)?.[1];
  await until(t, async () => ownerOf(await shakeHands(victim)) !== victim); // then it has been told, and other workers begin its sessions
  for (let n = 0; n < 10; n++) assert.notEqual(ownerOf(await shakeHands(front)), victim);
});

test('a request that waits at a worker that stops is answered, and the session goes on by way of others', { timeout: 60_000 }, async t => {
  const { url } = await start(t);
  const agents = await agentOfEach(t, url);
  const polling = await openPolling(url);
  await send(polling, { method: 'POST', body: '40' });
  await send(polling); // the answer to that
  await send(polling, { method: 'POST', body: '420["who"]' });
  const [, answer = ''] = /430\[(.*)\]/.exec((await send(polling)).text) ?? [];
  const owner = String((JSON.parse(answer) as Who).pid);
  const [victim, agent] = [...agents].find(([pid]) => pid !== owner) ?? assert.fail('nobody else');
  const waiting = send(polling, { agent });
  await send(polling, { method: 'POST', body: '421["echo"]', agent: [...agents.values()].find(other => other !== agent) ?? false });
  assert.equal((await waiting).text, '431[null]'); // it has passed that worker

  const held = send(polling, { agent });
  await until(t, async () => (await send(`${url}/polls`, { agent: agents.get(owner) ?? false })).text === '1'); // it waits at the owner
  process.kill(Number(victim), 'SIGTERM');
  const { status, text, headers } = await held;
  assert.deepEqual([status, text, headers.connection], [200, '6', 'close']);
  for (let n = 0; n < 2 * WORKERS; n++) {
    await send(polling, { method: 'POST', body: `42${n}["echo","again"]` });
    assert.equal((await send(polling)).text, `43${n}["again"]`);
  }
});

test('when the app stops, all clients are told, and nothing stays in its run folder', async t => {
  const cluster = await start(t, { workers: 2 });
  const clients = (
    await Promise.all(
      [['polling'], ['websocket'], ['polling', 'websocket']].map(transports => connectAll(t, cluster.url, 3, { transports })),
    )
  ).flat();
  const told = Promise.all(clients.map(client => next(client, 'disconnect')));
  assert.equal(await cluster.terminate(), 0);
  for (const [reason] of await told) assert.match(String(reason), /^transport (close|error)$/);
  assert.deepEqual(runFoldersOf(cluster.baseDir), []);
});

/** All that a server sends until it closes the connection. */
async function textOf(socket: TcpSocket): Promise<string> {
  let text = '';
  socket.setEncoding('latin1').on('data', (part: string) => (text += part));
  socket.on('error', () => {}); // 'close' follows
  await once(socket, 'close');
  return text;
}

/** What a server answers to an upgrade that it refuses. */
async function upgrade(address: string): Promise<string> {
  const { host, hostname, port, pathname, search } = new URL(address);
  const socket = connectTcp(Number(port), hostname);
  await once(socket, 'connect');
  socket.write(
    `GET ${pathname}${search} HTTP/1.1\r\nhost: ${host}\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n`,
  );
  return textOf(socket);
}
