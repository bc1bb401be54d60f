/** Packets whose attachments do not come, and `auth` that is too large. */
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { request } from 'node:http';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import type * as readings from '../dist/internals/reading';
import { type Files, ROOT, type RunningApp, startApp } from './support/app';
import { ask, type ClientOptions, connect, newClient, refusal } from './support/client';
import { openPolling, RawClient } from './support/raw';
import { engineConnections, internals, nothingRemains, watchForCrashes } from './support/remains';
import { until } from './support/until';

const { Reading } = require(join(ROOT, 'dist/internals/reading')) as typeof readings; // as the plugin that runs

interface Running extends RunningApp {
  /** The reasons of those who have disconnected. */
  readonly gone: unknown[];
}

async function start(t: TestContext, io: object = {}, files: Files = {}): Promise<Running> {
  watchForCrashes(t);
  const running = await startApp(t, {
    'config/config.default.js': `exports.io = ${JSON.stringify({ namespace: { '/': {} }, ...io })};`,
    'app/router.js': `
      module.exports = app => {
        app.io.route('disconnect', async ctx => app.emit('gone', ctx.args[0]));
        app.io.route('echo', async ctx => ctx.args[0]);
        app.io.route('auth', async ctx => JSON.stringify(ctx.socket.handshake.auth).length);
        app.io.of(/^\\/room-/).route('echo', async ctx => ctx.args[0]);
      };`,
    ...files,
  });
  const gone: unknown[] = [];
  running.app.on('gone', reason => gone.push(reason));
  internals(running.io).runtime.limits.attachments.lookEvery = 20;
  return { ...running, gone };
}

/** An event with so many attachments, of which none is there. */
function announce(count: number): string {
  const places = Array.from({ length: count }, (_, num) => ({ _placeholder: true, num }));
  return `45${count}-7${JSON.stringify(['echo', places])}`;
}

/** As a binary message: protocol 3 has the type in front. */
function attachment(protocol: 3 | 4, bytes = 10): Buffer {
  return protocol === 3 ? Buffer.concat([Buffer.from([4]), Buffer.alloc(bytes)]) : Buffer.alloc(bytes);
}

for (const protocol of [3, 4] as const) {
  test(`protocol ${protocol}: who does not complete a packet with attachments is closed; who pauses between them stays`, async t => {
    const app = await start(t, { limits: { attachments: 300 } });
    const patient = await RawClient.connect(t, app.url, { protocol });
    const lazy = await RawClient.connect(t, app.url, { protocol });
    patient.send(announce(4));
    for (let n = 0; n < 3; n++) patient.send(attachment(protocol));
    lazy.send(announce(2), attachment(protocol));
    const pongs = setInterval(
      () => patient.send(attachment(protocol)).send(announce(4), attachment(protocol), attachment(protocol), attachment(protocol)),
      100,
    );
    t.after(() => clearInterval(pongs));
    await lazy.closed;
    assert.equal(lazy.frames.at(-1), '42["error","The limit attachments is reached",{"code":"LIMIT_REACHED","limit":"attachments"}]');
    assert.deepEqual(app.gone, ['limit reached: attachments']);
    await app.logged(/^WARN .*IO_LIMIT_REACHED.*\(config\.io\.limits\.attachments\): its connection is closed/);
    await patient.frame(/^46/); // the answer, with bytes as well
    assert.equal(app.gone.length, 1);
    assert.equal(internals(app.io).runtime.limits.counts.attachments, 1);
  });
}

test('small talk does not keep a packet alive', async t => {
  const app = await start(t, { init: { pingInterval: 100, pingTimeout: 19_900 } });
  const { attachments } = internals(app.io).runtime.limits;
  const client = await RawClient.connect(t, app.url);
  client.send(announce(2), attachment(4));
  await until(t, () => attachments.size === 1);
  attachments.lookEvery = 1000; // each look, still every 20 ms, counts for more from now on: a heartbeat so short would be too short for a busy machine
  const talk = setInterval(() => client.send('3'), 20);
  t.after(() => clearInterval(talk));
  await client.closed;
  assert.deepEqual(app.gone, ['limit reached: attachments']);
});

test('false turns the limit off: a client may pause between attachments for longer than a heartbeat', async t => {
  const app = await start(t, { init: { pingInterval: 100, pingTimeout: 19_900 }, limits: { attachments: false } });
  const { attachments } = internals(app.io).runtime.limits;
  const client = await RawClient.connect(t, app.url);
  client.send(announce(1));
  await until(t, () => attachments.size === 1);
  attachments.lookEvery = 10_000; // each look, still every 20 ms, counts for so much
  const pings = (): number => client.frames.filter(frame => frame === '2').length;
  for (let answered = pings(); answered < 3; answered++) {
    await until(t, () => pings() > answered || app.gone.length > 0);
    client.send('3');
  }
  client.send(attachment(4));
  await client.frame(/^46/);
  assert.deepEqual(app.gone, []);
});

test('a client that has not connected to a namespace is closed as well', async t => {
  const app = await start(t, { limits: { attachments: 100 } });
  const client = await RawClient.open(t, app.url);
  client.send(announce(2), attachment(4));
  await client.closed;
  await nothingRemains(app.io);
});

test('nothing is kept of a client that goes in the middle of a packet', async t => {
  const { url, io } = await start(t);
  const { attachments } = internals(io).runtime.limits;
  attachments.lookEvery = 2 ** 30; // no look comes to it
  const client = await RawClient.connect(t, url);
  client.send(announce(2), attachment(4));
  await until(t, () => attachments.size === 1);
  client.vanish();
  await nothingRemains(io);
});

test('a packet with attachments that nobody sends over polling is closed, too', async t => {
  const app = await start(t, { limits: { attachments: 100 } });
  const address = await openPolling(app.url);
  for (const body of ['40', announce(2), `b${Buffer.alloc(10).toString('base64')}`]) await fetch(address, { method: 'POST', body });
  await until(t, () => app.gone.length > 0);
  assert.deepEqual(app.gone, ['limit reached: attachments']);
});

test('a POST whose bytes come slowly is read', async t => {
  const app = await start(t, { limits: { attachments: 200 } });
  const address = await openPolling(app.url);
  for (const body of ['40', announce(1)]) await fetch(address, { method: 'POST', body });
  await (await fetch(address)).text();
  const begun = performance.now();
  const post = request(address, { method: 'POST' });
  const bytes = `b${Buffer.alloc(30).toString('base64')}`;
  let sent = 0;
  await until(t, () => {
    const due = Math.min(bytes.length, Math.floor((performance.now() - begun) / 20));
    if (due > sent) post.write(bytes.slice(sent, due));
    sent = due;
    return sent === bytes.length;
  });
  post.end();
  assert.ok(performance.now() - begun > 400);
  assert.match(await (await fetch(address)).text(), /^46/);
  assert.deepEqual(app.gone, []);
});

test('the attachments of a packet have ten times maxHttpBufferSize together at most', async t => {
  const app = await start(
    t,
    {},
    {
      'parser.js': `
        const { Decoder, Encoder } = require(${JSON.stringify(createRequire(require.resolve('socket.io')).resolve('socket.io-parser'))});
        exports.Encoder = Encoder;
        exports.Decoder = class extends Decoder { constructor() { super({ maxAttachments: 1000 }); } };`,
      'config/config.default.js': `exports.io = { init: { parser: require('../parser'), maxHttpBufferSize: 10_000 }, limits: { attachments: false } };`,
    },
  );
  const client = await RawClient.connect(t, app.url);
  client.send(announce(11));
  for (let n = 0; n < 11; n++) client.send(attachment(4, 9000));
  await client.frame(/^461{2}-/);
  client.send(announce(100));
  for (let n = 0; n < 12; n++) client.send(attachment(4, 9000));
  await client.closed;
  assert.deepEqual(app.gone, ['limit reached: attachments']);
  assert.equal(engineConnections(app.io).length, 0);
});

test('packets that are not complete have 64 times maxHttpBufferSize in a worker at most: the largest one ends', async t => {
  const { url, io, gone } = await start(t, { init: { maxHttpBufferSize: 1000 } });
  const { attachments } = internals(io).runtime.limits;
  const small = await RawClient.connect(t, url);
  small.send(announce(2), attachment(4));
  await until(t, () => attachments.size === 1);
  const clients = [small];
  const begin = async (bytes: number): Promise<RawClient> => {
    const client = await RawClient.connect(t, url);
    client.burst(announce(10), ...Array.from({ length: 9 }, () => attachment(4, bytes))); // what has come at once is read, though others are waited for
    return client;
  };
  for (let n = 0; n < 6; n++) clients.push(await begin(800));
  const largest = await begin(801);
  await until(t, () => attachments.size === 8);
  clients.push(await begin(800));
  await largest.closed;
  assert.deepEqual(gone, ['limit reached: attachments']);
  for (const client of clients) client.send(attachment(4));
  for (const client of clients) await client.frame(/^46/);
  assert.equal(gone.length, 1);
  assert.equal(attachments.size, 0);
});

/** Clients that send some of ten attachments, without the last one. */
async function beginUploads(t: TestContext, url: string, count: number, sent = 9): Promise<RawClient[]> {
  const clients = await Promise.all(Array.from({ length: count }, async () => await RawClient.connect(t, url)));
  for (const client of clients) client.send(announce(10));
  for (let n = 0; n < sent; n++) for (const client of clients) client.send(attachment(4, 90_000));
  return clients;
}

test('uploads at the same time that are larger together than what may be kept are completed in turns', async t => {
  const { url, io, gone } = await start(t, { init: { maxHttpBufferSize: 100_000 } });
  const { attachments } = internals(io).runtime.limits;
  const clients = await beginUploads(t, url, 30);
  await until(t, () => attachments.waiting > 0);
  for (const client of clients) client.send(attachment(4, 90_000));
  for (const client of clients) await client.frame(/^46/);
  assert.deepEqual(gone, []);
  assert.deepEqual([attachments.size, attachments.waiting], [0, 0]);
});

for (const transport of ['polling', 'websocket']) {
  test(`over ${transport}, uploads of official clients at the same time all arrive`, async t => {
    const { url, io, gone } = await start(t, { init: { maxHttpBufferSize: 100_000 } });
    const clients = await Promise.all(Array.from({ length: 20 }, async () => await connect(t, url, { transports: [transport] })));
    const upload = Array.from({ length: 10 }, (_, n) => Buffer.alloc(60_000, n));
    for (const answer of await Promise.all(clients.map(async client => await ask(client, 'echo', upload))))
      assert.deepEqual(answer, upload);
    assert.deepEqual(gone, []);
    assert.equal(internals(io).runtime.limits.attachments.size, 0);
  });
}

test('who is waited for, and sends nothing, is closed soon; small packets do not wait', async t => {
  const { url, io, gone } = await start(t, { init: { maxHttpBufferSize: 100_000 } });
  const { attachments } = internals(io).runtime.limits;
  const lazy = await RawClient.connect(t, url);
  lazy.send(announce(2), attachment(4));
  await until(t, () => attachments.size === 1);
  const attackers = await beginUploads(t, url, 30);
  await until(t, () => attachments.waiting > 0);
  const small = await RawClient.connect(t, url);
  small.send(announce(10));
  for (let n = 0; n < 10; n++) small.send(attachment(4));
  await small.frame(/^46/);
  assert.deepEqual(gone, []);
  await Promise.race(attackers.map(async ({ closed }) => await closed));
  lazy.send(attachment(4)); // nobody waits for it: it has more time
  await lazy.frame(/^46/);
});

test('time does not pass for a client that waits', async t => {
  const { url, io, gone } = await start(t, { init: { maxHttpBufferSize: 100_000 } });
  const { attachments } = internals(io).runtime.limits;
  const [large] = await beginUploads(t, url, 1, 3);
  assert.ok(large);
  await until(t, () => attachments.size === 1);
  const attackers = await beginUploads(t, url, 9, 2);
  await until(t, () => attachments.waiting > 0);
  const { waiting } = attachments;
  for (let n = 3; n < 10; n++) large.send(attachment(4, 90_000)); // it has more bytes than the attackers, and so is the last
  await until(t, () => attachments.waiting > waiting);
  attackers.push(...(await beginUploads(t, url, 25)));
  await until(t, () => attachments.size === attackers.length + 1);
  attachments.lookEvery = 1000; // each look, still every 20 ms, counts for more from now on
  await large.frame(/^46/);
  await Promise.all(attackers.map(async ({ closed }) => await closed));
  assert.deepEqual(gone, Array<string>(attackers.length).fill('limit reached: attachments'));
  assert.deepEqual([attachments.size, attachments.waiting], [0, 0]);
});

test('small packets that are complete meanwhile give nobody more time who keeps others waiting', async t => {
  const { url, io, gone } = await start(t, { init: { maxHttpBufferSize: 100_000 }, limits: { attachments: 1000 } });
  const { attachments } = internals(io).runtime.limits;
  for (let n = 0; n < 4; n++) await RawClient.connect(t, url);
  const [large, slow, waits, small] = [...io.sockets.sockets.values()].map(({ conn }) => conn);
  assert.ok(large && slow && waits && small);
  attachments.onPart(large, 900_000, 1);
  attachments.onPart(slow, 900_000, 9);
  attachments.onPart(waits, 90_000, 9);
  assert.equal(attachments.waiting, 1);
  await until(t, () => {
    attachments.onPart(large, 0, 1);
    attachments.onPart(slow, 0, 9);
    attachments.onPart(small, 10, 1);
    attachments.onComplete(small);
    return attachments.waiting === 0 || gone.length > 0;
  });
  assert.deepEqual(gone, []);
  assert.equal(attachments.waiting, 0);
});

test('a connection is read again when nobody stops its reading any more', async t => {
  const { url, io } = await start(t);
  const client = await RawClient.connect(t, url);
  const [connection] = [...io.sockets.sockets.values()].map(({ conn }) => conn);
  assert.ok(connection);
  const reading = new Reading(connection, 25_000);
  const [events, attachments] = [{}, {}];
  let isRead = false;
  connection.once('data', () => (isRead = true));
  reading.pause(events, () => {});
  reading.pause(attachments, () => {});
  reading.resume(events);
  client.send('421["echo",1]');
  await client.frame(/^2$/); // reading would have come before this
  assert.equal(isRead, false);
  reading.resume(attachments);
  await client.frame(/^431/);
});

test('a client that polls waits for its turn as well: its request is answered then', async t => {
  const { url, io } = await start(t, { init: { maxHttpBufferSize: 100_000 }, limits: { attachments: 2000 } });
  const { attachments } = internals(io).runtime.limits;
  await beginUploads(t, url, 30);
  await until(t, () => attachments.waiting > 0);
  const address = await openPolling(url);
  for (const body of ['40', announce(10)]) await fetch(address, { method: 'POST', body });
  const { waiting } = attachments;
  const body = `b${Buffer.alloc(60_000).toString('base64')}`;
  let isAnswered = false;
  const first = fetch(address, { method: 'POST', body }).then(() => (isAnswered = true));
  await until(t, () => attachments.waiting > waiting);
  assert.equal(isAnswered, false);
  await first;
  for (let n = 1; n < 10; n++) await fetch(address, { method: 'POST', body });
  let answer = '';
  while (!/^46/m.test(answer)) answer = (await (await fetch(address)).text()).replaceAll('\x1e', '\n');
});

test('who has sent nothing for some time before others wait has the time from then on to send on', async t => {
  const { url, io, gone } = await start(t, { init: { maxHttpBufferSize: 100_000 } });
  const { attachments } = internals(io).runtime.limits;
  t.mock.timers.enable({ apis: ['setInterval'] });
  attachments.lookEvery = 1000;
  const clients = await Promise.all([1, 2, 3].map(async () => await RawClient.connect(t, url)));
  const part = Array.from({ length: 9 }, () => attachment(4, 99_000));
  const [first, second, third] = clients;
  first?.send(announce(10), ...part);
  await until(t, () => attachments.size === 1);
  second?.send(announce(10), ...part); // with these, they have more than 16 messages: it is the one that goes on
  await until(t, () => attachments.bytes > 1_780_000);
  t.mock.timers.tick(4000);
  third?.send(announce(10), attachment(4, 99_000));
  await until(t, () => attachments.waiting === 1);
  t.mock.timers.tick(2000);
  assert.deepEqual(gone, []);
  t.mock.timers.tick(1000);
  await until(t, () => gone.length > 0);
  t.mock.timers.reset(); // intervals that are older are to be cleared
  assert.deepEqual([gone.length, attachments.waiting], [1, 0]);
  await second?.closed;
});

for (const version of [2, 4] as const) {
  for (const transport of ['polling', 'websocket']) {
    test(`client ${version} over ${transport}: auth of more than the limit is refused with AUTH_TOO_LARGE`, async t => {
      const app = await start(t, { limits: { auth: 1000 } });
      const optionsWith = (length: number): ClientOptions => ({
        transports: [transport],
        ...(version === 4 && { auth: { token: 'x'.repeat(length) } }),
      });
      // clients of protocol 3 say in the name of a namespace what is their auth
      const url = (length: number): string => (version === 2 ? `${app.url}/room-1?token=${'x'.repeat(length)}` : `${app.url}/room-1`);
      const fits = await connect(t, url(900), optionsWith(900), version);
      assert.equal(await ask(fits, 'echo', 'in'), 'in');
      const client = newClient(t, url(1100), optionsWith(1100), version);
      if (version === 4) {
        const { message, data } = await refusal(client);
        assert.deepEqual([message, data], ['The auth is too large', { code: 'AUTH_TOO_LARGE' }]);
      } else {
        assert.equal(await new Promise(resolve => client.once('error', resolve)), 'The auth is too large');
      }
      assert.equal(internals(app.io).runtime.limits.counts.auth, 1);
      await app.logged(/^WARN .*IO_LIMIT_REACHED.*\(config\.io\.limits\.auth\)/);
      assert.doesNotMatch(app.logs.join('\n'), /xxx/);
    });
  }
}

test('the limit of auth counts bytes, and is 64 kB unless the config says otherwise', async t => {
  const app = await start(t);
  const fits = await connect(t, app.url, { auth: { token: 'ä'.repeat(31_900) } });
  assert.equal(await ask(fits, 'auth'), 31_900 + '{"token":""}'.length);
  const { data } = await refusal(newClient(t, app.url, { auth: { token: 'ä'.repeat(32_000) } }));
  assert.deepEqual(data, { code: 'AUTH_TOO_LARGE' });
  const off = await start(t, { limits: { auth: false } });
  await connect(t, off.url, { auth: { token: 'x'.repeat(200_000) } });
});

test('attachments without a byte come to an end, too', async t => {
  const { url, io, gone } = await start(t, { init: { maxHttpBufferSize: 1000 } });
  const client = await RawClient.connect(t, url);
  const [connection] = [...io.sockets.sockets.values()].map(({ conn }) => conn);
  assert.ok(connection);
  const { attachments } = internals(io).runtime.limits;
  for (let n = 0; n < 100; n++) attachments.onPart(connection, 0, 1); // as an older socket.io-parser would: this one allows 10
  assert.equal(connection.readyState, 'closed'); // at once
  await client.closed;
  assert.deepEqual(gone, ['limit reached: attachments']);
});
