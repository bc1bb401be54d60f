/** What the clients of one address may cost, in one process, in several workers and on several servers; and how often one event may come. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request } from 'node:http';
import { test, type TestContext } from 'node:test';
import { type RunningApp, startApp } from './support/app';
import { ask, type Client, connect } from './support/client';
import { shareCluster } from './support/cluster';
import { processesOf } from './support/processes';
import { RawClient } from './support/raw';
import { startRedis } from './support/redis';
import { internals, watchForCrashes } from './support/remains';
import { stopTime } from './support/stop-time';
import { until } from './support/until';

const ROUTER = `module.exports = app => {
  for (const event of ['echo', 'typing', '__proto__', '7']) app.io.route(event, async ctx => ctx.args[0]);
  for (const name of ['/chat', '/free']) app.io.of(name).route('typing', async ctx => ctx.args[0]);
  app.io.route('worker', async () => process.pid);
};`;

/** As behind a proxy, which says where a client is. */
const PROXY = 'exports.proxy = true; exports.maxIpsCount = 1;';

async function start(t: TestContext, io: string, proxy = PROXY): Promise<RunningApp & { counts: Record<string, number> }> {
  watchForCrashes(t);
  const running = await startApp(t, { 'app/router.js': ROUTER, 'config/config.default.js': `${proxy} exports.io = ${io};` });
  return { ...running, counts: internals(running.io).runtime.limits.counts };
}

/** The status of the first request of a client at an address, and the code of a refusal. */
async function poll(url: string, address: string): Promise<[status: number, code?: string]> {
  const headers = { 'x-forwarded-for': address };
  const sent = request(`${url}/socket.io/?transport=polling&EIO=4`, { headers, agent: false });
  sent.end();
  const [response] = (await once(sent, 'response')) as [AsyncIterable<Buffer> & { statusCode: number }];
  let body = '';
  for await (const part of response) body += part.toString();
  return response.statusCode === 200 ? [200] : [response.statusCode, (JSON.parse(body) as { code: string }).code];
}

async function clientAt(t: TestContext, url: string, address: string): Promise<Client> {
  return connect(t, url, { extraHeaders: { 'x-forwarded-for': address } });
}

const isRefused = (answer: unknown): boolean => (answer as { error?: { code?: string } }).error?.code === 'TOO_MANY_EVENTS';

/** Sends events at once, and returns how many have been handled. */
async function handled(clients: readonly Client[], count: number, event = 'echo'): Promise<number> {
  const sent = Array.from({ length: count }, async (_, i) => ask(clients[i % clients.length] as Client, event, { i })); // there is at least one
  return (await Promise.all(sent)).filter(answer => !isRefused(answer)).length;
}

/** Sends so many events at once at a limit of 10 a second, and returns how many have been handled by so many processes. */
async function handledOfTen(clients: readonly Client[], sent: number, processes = 1): Promise<number> {
  const begin = performance.now();
  const count = await handled(clients, sent);
  const seconds = Math.ceil((performance.now() - begin) / 1000); // one, unless the machine is slow
  assert.ok(count >= 10 && count <= 10 * (processes + seconds), `${count} of ${sent} in ${seconds} s`); // at most once more than the limit in each
  return count;
}

test('an address has as many connections as it may have, and others are not refused', async t => {
  const { url, io, counts, logged } = await start(t, '{ limits: { perAddress: { connections: 2 } } }');
  const first = await clientAt(t, url, '203.0.113.7');
  assert.deepEqual(await poll(url, '198.51.100.1, 203.0.113.7'), [200], 'what the client itself has sent does not count');
  assert.deepEqual(await poll(url, '203.0.113.7'), [429, 'TOO_MANY_CONNECTIONS']);
  await assert.rejects(clientAt(t, url, '203.0.113.7'));
  assert.equal(counts['perAddress'], 2);
  for (const other of ['203.0.113.8', '127.0.0.1', '10.0.0.1', 'unknown', '']) for (let i = 0; i < 3; i++) await poll(url, other);
  assert.equal(counts['perAddress'], 3, 'only the third one of 203.0.113.8');
  first.disconnect();
  await until(t, async () => (await poll(url, '203.0.113.7'))[0] === 200);
  await logged(/WARN.*IO_LIMIT_REACHED: too much comes from one address \(config\.io\.limits\.perAddress\): clients are refused/);
  io.engine.close();
  await until(t, () => internals(io).runtime.limits.addresses?.size === 0);
});

test('IPv6 addresses of one network count as one', async t => {
  const { url } = await start(t, '{ limits: { perAddress: { connections: 1 } } }');
  assert.deepEqual(await poll(url, '2001:db8:1:2::1'), [200]);
  assert.deepEqual(await poll(url, '2001:db8:1:2:ffff::2'), [429, 'TOO_MANY_CONNECTIONS']);
  assert.deepEqual(await poll(url, '2001:db8:1:3::1'), [200]);
});

test('without config.proxy, the header of a client says nothing', async t => {
  const { url } = await start(t, '{ limits: { perAddress: { connections: 1 } } }', '');
  for (let i = 0; i < 3; i++) assert.deepEqual(await poll(url, '203.0.113.7'), [200]); // all are 127.0.0.1
});

test('an address may send so many handshakes and events, whichever connection they come by', async t => {
  const { url, counts } = await start(t, '{ limits: { perAddress: { handshakes: 3, events: 10 } } }');
  const [one, two] = [await clientAt(t, url, '203.0.113.7'), await clientAt(t, url, '203.0.113.7')];
  const other = await clientAt(t, url, '203.0.113.8');
  assert.deepEqual(await poll(url, '203.0.113.7'), [200]);
  assert.deepEqual(await poll(url, '203.0.113.7'), [429, 'TOO_MANY_HANDSHAKES']);
  const before = counts['perAddress'] ?? 0;
  const count = await handledOfTen([one, two], 40);
  assert.equal((counts['perAddress'] ?? 0) - before, 40 - count);
  assert.equal(await handled([other], 10), 10);
  await until(t, async () => !isRefused(await ask(one, 'echo', 1)));
});

test('an event may come so often on a connection, in its namespace', async t => {
  const { url, counts } = await start(
    t,
    `{ limits: { perEvent: { typing: { perSecond: 1, burst: 3 } } }, namespace: { '/chat': { limits: { perEvent: { typing: { perSecond: 1 } } } }, '/free': { limits: { perEvent: false } } } }`,
  );
  stopTime(t);
  const [one, two, chat] = [await connect(t, url), await connect(t, url), await connect(t, `${url}/chat`)];
  assert.equal(await handled([await connect(t, `${url}/free`)], 10, 'typing'), 10);
  for (const client of [one, two]) assert.equal(await handled([client], 10, 'typing'), 3);
  assert.equal(await handled([chat], 10, 'typing'), 1);
  for (const event of ['echo', '__proto__']) assert.equal(await handled([one], 20, event), 20);
  assert.equal(counts['perEvent'], 23);
  one.emit('typing');
  const [message, about] = await new Promise<unknown[]>(resolve => one.once('error', (...args: unknown[]) => resolve(args)));
  assert.deepEqual([message, about], ['Too many events', { code: 'TOO_MANY_EVENTS', event: 'typing' }]);
});

test('who leaves a namespace and comes back, or sends a number as the name, has no more events', async t => {
  const running = await start(t, `{ limits: { perEvent: { typing: { perSecond: 1, burst: 1 }, 8: { perSecond: 1, burst: 1 } } } }`);
  const { io, url, counts, logs } = running;
  stopTime(t);
  let handled = 0;
  io.route('8', () => void handled++);
  const client = await RawClient.open(t, url);
  for (let i = 0; i < 10; i++) {
    client.send('40');
    await until(t, () => client.frames.filter(frame => frame.startsWith('40')).length > i);
    client.send('42["typing"]', '42[8]', '42["8"]', `42${i}["echo",1]`);
    await client.frame(new RegExp(`^43${i}\\[`)); // they have been handled: what comes after the end of a connection is not
    client.send('41');
  }
  client.send('40');
  await until(t, () => client.frames.filter(frame => frame.startsWith('40')).length > 10);
  client.send('420["echo",1]');
  await client.frame(/^430/);
  assert.equal(handled, 1);
  assert.equal(counts['perEvent'], 28);
  const line = /: events are refused; the latest: socket [\w-]{20} of "\/" from [\d.:f]+ \(/; // an operator finds the client
  await running.logged(/IO_LIMIT_REACHED: a client sends too many events of one name \(config\.io\.limits\.perEvent\): events are refused/);
  assert.ok(
    logs.some(text => line.test(text)),
    logs.filter(text => /IO_LIMIT/.test(text)).join('\n'),
  );
});

test('the limit of a name also holds for events with a key, and for a client that leaves the namespace and comes back', async t => {
  const { url, counts } = await start(t, `{ limits: { perEvent: { typing: { perSecond: 1, burst: 3 }, 7: { perSecond: 1 } } } }`);
  stopTime(t);
  const client = await RawClient.open(t, url);
  for (const round of [1, 2, 3]) {
    client.send('40');
    await until(t, () => client.frames.filter(frame => frame.startsWith('40')).length === round);
    for (const n of [1, 2, 3])
      client.send(`42${round}${n}["$io:send","key ${round} ${n}","typing",1]`, `429${round}${n}["typing",1]`, `428${round}${n}[7]`);
    await client.frame(new RegExp(`^438${round}3`));
    await client.frame(new RegExp(`^43${round}3`));
    client.send('41');
  }
  const refused = client.frames.filter(frame => /^43.*TOO_MANY_EVENTS/.test(frame)).length;
  assert.equal(27 - refused, 3 + 1); // of 27 packets
  assert.equal(counts['perEvent'], refused);
  client.send('40');
  await until(t, () => client.frames.filter(frame => frame.startsWith('40')).length === 4);
  client.send(`421["$io:send","key","${'x'.repeat(201)}"]`);
  await client.closed;
  assert.equal(counts['eventName'], 1);
});

test('an address that clients can choose is warned of', async t => {
  for (const [config, lines] of [
    ['exports.proxy = true; exports.io = { limits: { perAddress: { events: 1 } } };', 1],
    [`exports.proxy = true; exports.io = { bind: ['address'] };`, 1],
    [`exports.proxy = true; exports.io = { bind: ['userAgent'] };`, 0],
    [`${PROXY} exports.io = { limits: { perAddress: { events: 1 } } };`, 0],
    ['exports.io = { limits: { perAddress: { events: 1 } } };', 0],
  ] as const) {
    const { logs, close } = await startApp(t, { 'config/config.default.js': config });
    assert.equal(logs.filter(line => /WARN.*IO_ADDRESS_FORGEABLE/.test(line)).length, lines, config);
    await close();
  }
});

const cluster = shareCluster(
  {
    'app/router.js': ROUTER,
    'config/config.default.js': `${PROXY} exports.io = { limits: { perAddress: { handshakes: 8, events: 10 } } };`,
  },
  async () => ({ workers: 2 }),
);

/** Clients of each of two workers. */
async function clientsOfTwo(t: TestContext, url: string, address: string): Promise<Client[]> {
  const clients = new Map<unknown, Client>();
  while (clients.size < 2) {
    const client = await clientAt(t, url, address);
    clients.set(await ask(client, 'worker'), client);
  }
  return [...clients.values()];
}

test('workers count together', async t => {
  const { url } = await cluster();
  const answers: number[] = [];
  for (let i = 0; i < 12; i++) answers.push((await poll(url, '203.0.113.9'))[0]);
  assert.deepEqual(answers, [200, 200, 200, 200, 200, 200, 200, 200, 429, 429, 429, 429]);
  const clients = await clientsOfTwo(t, url, '203.0.113.7');
  await handledOfTen(clients, 60, 2);
  await until(t, async () => !isRefused(await ask(clients[0] as Client, 'echo', 1)));
});

// the last one of the cluster that these share: it ends the agent
test('each worker counts for itself while there is no agent, with one line of log', async t => {
  const { url, master, log } = await cluster();
  const { agent } = processesOf(master.pid ?? 0);
  assert.ok(agent);
  process.kill(agent, 'SIGKILL');
  const answers: number[] = [];
  for (let i = 0; i < 40; i++) answers.push((await poll(url, '203.0.113.10'))[0]);
  const accepted = answers.filter(status => status === 200).length;
  assert.ok(accepted >= 8 && accepted <= 24, `${accepted} of 40`); // 8 of each worker, and of a new agent
  await until(t, async () => /IO_ADDRESSES_UNSHARED/.test(await log()));
  assert.ok([...(await log()).matchAll(/IO_ADDRESSES_UNSHARED: /g)].length <= 2, 'one line a worker');
});

test('servers count together by Redis, and each for itself in an outage, with one line of log', async t => {
  const redis = await startRedis(t);
  const io = `{ redis: { port: ${redis.port} }, limits: { perAddress: { handshakes: 4, events: 10 } } }`;
  const [one, two] = [await start(t, io), await start(t, io)];
  const answers: number[] = [];
  for (let i = 0; i < 6; i++) answers.push((await poll([one, two][i % 2]?.url ?? '', '203.0.113.7'))[0]);
  assert.deepEqual(answers, [200, 200, 200, 200, 429, 429]);
  const client = await clientAt(t, one.url, '203.0.113.8');
  await redis.kill();
  await one.logged(/IO_REDIS_DOWN/);
  for (let i = 0; i < 6; i++) answers[i] = (await poll(one.url, '203.0.113.9'))[0];
  assert.deepEqual(answers, [200, 200, 200, 200, 429, 429]);
  await handledOfTen([client], 40);
  const lines = one.logs.filter(line => /WARN.*IO_ADDRESSES_UNSHARED/.test(line));
  assert.ok(lines.length >= 1 && lines.length <= 2, lines.join('\n')); // handshakes, events
});
