/** Several servers behind a load balancer that keeps a client with its server, configured as our guide says. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { type Files, startApp } from '../support/app';
import { ask, connect } from '../support/client';
import { startNginx } from '../support/nginx';
import { readPage } from '../support/page';
import { patched } from '../support/reader';
import { startReverseProxy } from '../support/reverse-proxy';

const FILES: Files = {
  'app/io/controller/home.js': `exports.where = async ctx => ctx.app.config.baseDir;`,
  'app/router.js': `module.exports = app => { app.io.route('where', app.io.controller.home.where); };`,
};

async function nginxFile(): Promise<string> {
  const { samples } = await readPage('docs/cluster.md');
  const file = samples.find(({ language }) => language === 'nginx')?.code ?? assert.fail('the guide has no nginx file');
  const diff =
    samples.find(({ language, code }) => language === 'diff' && code.includes('ip_hash'))?.code ?? assert.fail('nor its ip_hash');
  return patched(file, diff) ?? assert.fail(`the diff does not fit:\n${diff}`);
}

async function haproxyFile(): Promise<string> {
  const { samples } = await readPage('docs/adapters.md');
  return samples.find(({ language }) => language === 'haproxy')?.code ?? assert.fail('the guide has no HAProxy file');
}

for (const [name, read, start] of [
  ['nginx', nginxFile, startNginx],
  ['haproxy', haproxyFile, (t: TestContext, config: string) => startReverseProxy(t, 'haproxy', config)],
] as const) {
  for (const transports of [['polling'], ['polling', 'websocket'], ['websocket']]) {
    test(`${name}: with two servers, clients of ${transports.join(' then ')} connect and are answered`, async t => {
      const [one, other] = [await startApp(t, FILES), await startApp(t, FILES)];
      const config = await read();
      const both = config.replace(/# (server .*?)10\.0\.0\.2:7001/, `$1127.0.0.1:${other.port}`).replace('7001', String(one.port));
      assert.ok(both.includes(`:${other.port}`), both);
      const { url } = await start(t, both);
      for (let n = 0; n < 4; n++) {
        const client = await connect(t, url, { transports });
        const where = await ask(client, 'where');
        for (let again = 0; again < 5; again++) assert.equal(await ask(client, 'where'), where);
      }
    });
  }
}
