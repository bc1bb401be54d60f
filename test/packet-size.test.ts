/** Packets whose attachments do not come, and `auth` that is too large. */
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { request } from 'node:http';
import { test, type TestContext } from 'node:test';
import { type Files, type RunningApp, startApp } from './support/app';
import { ask, type ClientOptions, connect, newClient, refusal } from './support/client';
import { openPolling, RawClient } from './support/raw';
import { engineConnections, internals, nothingRemains, watchForCrashes } from './support/remains';
import { until } from './support/until';

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
    client.send(announce(10));
    for (let n = 0; n < 9; n++) client.send(attachment(4, bytes));
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
  for (let n = 0; n < 100; n++) attachments.onPart(connection, 0); // as an older socket.io-parser would: this one allows 10
  assert.equal(connection.readyState, 'closed'); // at once
  await client.closed;
  assert.deepEqual(gone, ['limit reached: attachments']);
});
