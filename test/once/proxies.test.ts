/** The reverse proxies of the guide, other than nginx in its usual place, in front of an app of two workers. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import type { Files } from '../support/app';
import { ask, type Client, type ClientOptions, connect, newClient, next, refusal } from '../support/client';
import { type Cluster, type ClusterOptions, shareCluster, startCluster } from '../support/cluster';
import { startNginx } from '../support/nginx';
import { readPage } from '../support/page';
import { patched } from '../support/reader';
import { isReverseProxyLanguage, startReverseProxy } from '../support/reverse-proxy';

const files = (config: string): Files => ({
  'app/io/controller/home.js': `exports.who = async ctx => [ctx.ip, ctx.host]; exports.size = async ctx => ctx.args[0].length;`,
  'app/router.js': `module.exports = app => {
    app.io.route('who', app.io.controller.home.who);
    app.io.route('size', app.io.controller.home.size);
  };`,
  'config/config.default.js': config,
});

const WORKERS: ClusterOptions = { workers: 2 };

const shared = shareCluster(files('exports.proxy = true; exports.maxIpsCount = 1;'), async () => WORKERS);

/**
 * Resolves to the URL of a proxy, configured as the guide says.
 * @param language of the sample; of nginx, also a word of the `diff` that changes the guide's one file
 */
async function start(
  t: TestContext,
  language: string,
  change = (sample: string): string => sample,
  cluster: Promise<Cluster> = shared(),
): Promise<string> {
  const { url } = await cluster;
  const { samples } = await readPage('docs/cluster.md');
  const [name = '', word = ''] = language.split(': ');
  const find = (language: string, word = ''): string | undefined =>
    samples.find(sample => sample.language === language && sample.code.includes(word))?.code;
  const sample = word === '' ? find(name) : patched(find(name) ?? '', find('diff', word) ?? '-nothing');
  assert.ok(sample, `the guide has none for ${language}`);
  const config = change(sample).replaceAll('7001', new URL(url).port);
  return (isReverseProxyLanguage(name) ? await startReverseProxy(t, name, config) : await startNginx(t, config)).url;
}

/** A client that has its final transport. */
async function settle(t: TestContext, url: string, options: ClientOptions): Promise<Client> {
  const client = await connect(t, url, options);
  const { engine } = client.io;
  if (engine.transport.name !== options.transports?.at(-1)) await next(engine as unknown as NodeJS.EventEmitter, 'upgrade'); // its own emitter, of the same shape
  return client;
}

for (const [language, path] of [
  ['caddy', '/socket.io/'],
  ['apache', '/socket.io/'],
  ['haproxy', '/socket.io/'],
  ['lighttpd', '/socket.io/'],
  ['vcl', '/socket.io/'],
  ['nginx: location /chat/', '/chat/socket.io/'],
] as const) {
  test(`${language}: clients poll, upgrade and begin with WebSocket; a page of its host may connect, and no other`, async t => {
    const url = await start(t, language);
    for (const transports of [['polling'], ['polling', 'websocket'], ['websocket']]) {
      const madeUp = { 'x-forwarded-for': '6.6.6.6' };
      const client = await settle(t, url, { path, transports, extraHeaders: { ...madeUp, origin: url } });
      assert.equal(client.io.engine.transport.name, transports.at(-1));
      assert.deepEqual(await ask(client, 'who'), ['127.0.0.1', new URL(url).host]);
      assert.equal(await ask(client, 'size', 'x'.repeat(500_000)), 500_000);
      client.disconnect();
      await refusal(newClient(t, url, { path, transports, extraHeaders: { origin: 'http://evil.example' } }));
    }
  });
}

for (const [config, isLetIn] of [
  ['exports.proxy = true;', true],
  ['', false],
] as const) {
  test(`Apache that changes Host: its X-Forwarded-Host counts ${isLetIn ? 'with' : 'only with'} config.proxy`, async t => {
    const cluster = startCluster(t, files(config), WORKERS);
    const proxy = await start(t, 'apache', sample => sample.replace('ProxyPreserveHost On', ''), cluster);
    const url = proxy.replace('127.0.0.1', 'localhost'); // Apache makes it 127.0.0.1 again
    for (const transports of [['polling'], ['websocket']]) {
      const options = { transports, extraHeaders: { origin: url } };
      if (isLetIn) await connect(t, url, options);
      else await refusal(newClient(t, url, options));
    }
  });
}

test('each WebSocket takes a thread of Apache: when there are none left, the next client waits until one has gone', async t => {
  const threads = 'StartServers 1\nServerLimit 1\nThreadsPerChild 3\nMaxRequestWorkers 3\n';
  const url = await start(t, 'apache', sample => threads + sample);
  const clients: Client[] = [];
  for (let n = 0; n < 3; n++) clients.push(await connect(t, url));
  const late = newClient(t, url);
  const connected = next(late, 'connect');
  for (let n = 0; n < 50; n++) for (const client of clients) await ask(client, 'who');
  assert.equal(late.connected, false);
  clients[0]?.disconnect();
  await connected;
});

test('lighttpd without its upgrade: clients stay with polling', async t => {
  const url = await start(t, 'lighttpd', sample => sample.replace(/.*"upgrade".*/, ''));
  await refusal(newClient(t, url));
  const client = newClient(t, url, { transports: ['polling', 'websocket'] });
  const failed = new Promise(resolve => client.io.on('open', () => client.io.engine.once('upgradeError', resolve)));
  await failed;
  assert.deepEqual(await ask(client, 'who'), ['127.0.0.1', new URL(url).host]);
});

test('nginx: a polled message larger than client_max_body_size ends the connection; the guide has the line that lets it pass', async t => {
  const large = 'x'.repeat(2_000_000);
  const cluster = startCluster(t, files('exports.proxy = true; exports.io = { init: { maxHttpBufferSize: 5e6 } };'), WORKERS);
  const ofDefault = await start(t, 'nginx: client_max_body_size', sample => sample.replace(/client_max_body_size.*/, ''), cluster);
  const [polling, webSocket] = [await connect(t, ofDefault, { transports: ['polling'] }), await connect(t, ofDefault)];
  assert.equal(await ask(webSocket, 'size', large), large.length);
  const failed = next<[Error & { description?: unknown }]>(polling.io.engine, 'error');
  polling.emit('size', large);
  assert.equal((await failed)[0].description, 413);
  const client = await connect(t, await start(t, 'nginx: client_max_body_size', undefined, cluster), { transports: ['polling'] });
  assert.equal(await ask(client, 'size', large), large.length);
});
