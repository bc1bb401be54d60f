/** Several servers behind a load balancer that keeps a client with its server, configured as our guide says. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { type Files, startApp } from '../support/app';
import { ask, connect } from '../support/client';
import { startNginx } from '../support/nginx';
import { readPage } from '../support/page';
import { startReverseProxy } from '../support/reverse-proxy';

const FILES: Files = {
  'app/io/controller/home.js': `exports.where = async ctx => ctx.app.config.baseDir;`,
  'app/router.js': `module.exports = app => { app.io.route('where', app.io.controller.home.where); };`,
};

for (const [language, start] of [
  ['nginx', startNginx],
  ['haproxy', (t: TestContext, config: string) => startReverseProxy(t, 'haproxy', config)],
] as const) {
  for (const transports of [['polling'], ['polling', 'websocket'], ['websocket']]) {
    test(`${language}: with two servers, clients of ${transports.join(' then ')} connect and are answered`, async t => {
      const [one, other] = [await startApp(t, FILES), await startApp(t, FILES)];
      const { samples } = await readPage('docs/adapters.md');
      const config = samples.find(sample => sample.language === language)?.code ?? assert.fail(`the guide has none for ${language}`);
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
