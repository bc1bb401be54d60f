import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { type RunningApp, startApp } from './support/app';
import { ask, type Client, connect, newClient, next, refusal } from './support/client';
import { startNginx } from './support/nginx';
import { readPage } from './support/page';

const TRANSPORTS = [['polling'], ['websocket'], ['polling', 'websocket']];

async function start(t: TestContext, config = 'exports.proxy = true;'): Promise<{ app: RunningApp; url: string }> {
  const app = await startApp(t, {
    'app/io/middleware/noted.js': `
      module.exports = app => async (ctx, next) => {
        ctx.socket.data.atConnect = [ctx.ip, ctx.host, ctx.protocol];
        await next();
      };`,
    'app/io/controller/home.js': `
      exports.who = async ctx => ({
        packet: [ctx.ip, ctx.host, ctx.protocol], connection: ctx.socket.data.atConnect, hostname: ctx.hostname,
        transport: ctx.socket.conn.transport.name,
      });
      exports.echo = async ctx => ctx.args[0];`,
    'app/router.js': `
      module.exports = app => {
        app.io.route('who', app.io.controller.home.who);
        app.io.route('echo', app.io.controller.home.echo);
      };`,
    'config/config.default.js': `${config}
      exports.io = { namespace: { '/': { connectionMiddleware: ['noted'] } } };`,
  });
  const { url } = await startNginx(t, (await siteOfTheGuide()).replaceAll('7001', String(app.port)));
  return { app, url };
}

/** The configuration that our guide gives to users. */
async function siteOfTheGuide(): Promise<string> {
  const { samples } = await readPage('docs/cluster.md');
  return samples.find(({ language }) => language === 'nginx')?.code ?? assert.fail('the guide has no nginx.conf');
}

async function upgraded(client: Client): Promise<void> {
  const { engine } = client.io;
  if (engine.transport.name !== 'websocket') await next(engine as unknown as NodeJS.EventEmitter, 'upgrade'); // its own emitter, of the same shape
}

for (const version of [2, 4] as const) {
  for (const transports of TRANSPORTS) {
    test(`behind nginx, client ${version}, ${transports.join(' then ')}: it connects, and the app knows its address and host`, async t => {
      const { url } = await start(t);
      const client = await connect(t, url, { transports }, version);
      if (transports.length > 1) await upgraded(client);
      const expected = ['127.0.0.1', new URL(url).host, 'http'];
      assert.deepEqual(await ask(client, 'who'), {
        packet: expected,
        connection: expected,
        hostname: '127.0.0.1',
        transport: transports.at(-1),
      });
      const text = 'x'.repeat(200_000);
      assert.equal(await ask(client, 'echo', text), text);
      const told = next(client, 'disconnect');
      client.disconnect();
      await told;
    });
  }
}

test('the address is that which nginx saw: one that a client makes up stands before it', async t => {
  const { url } = await start(t, 'exports.proxy = true; exports.maxIpsCount = 1;');
  const client = await connect(t, url, { extraHeaders: { 'x-forwarded-for': '6.6.6.6' } });
  const { packet } = (await ask(client, 'who')) as { packet: unknown[] };
  assert.equal(packet[0], '127.0.0.1');
});

test('behind nginx, a page of the host that the browser sees may connect, and no other', async t => {
  const { url, app } = await start(t);
  for (const transports of TRANSPORTS) {
    const client = await connect(t, url, { transports, extraHeaders: { origin: url } });
    client.disconnect();
    await refusal(newClient(t, url, { transports, extraHeaders: { origin: 'http://evil.example' } }));
  }
  assert.equal(app.logs.filter(line => line.includes('IO_ORIGIN_REFUSED')).length, 1);
});

test('behind nginx without config.proxy, the host that nginx passes on is what counts', async t => {
  const { url } = await start(t, '');
  const host = { host: 'shop.example' };
  await connect(t, url, { extraHeaders: { ...host, origin: 'http://shop.example' } });
  await refusal(newClient(t, url, { extraHeaders: { ...host, origin: 'http://evil.example', 'x-forwarded-host': 'evil.example' } }));
});

test('behind nginx, clients are told when the app closes', async t => {
  const { url, app } = await start(t);
  const client = await connect(t, url);
  const told = next(client, 'disconnect');
  await app.close();
  assert.equal((await told)[0], 'transport close');
});
