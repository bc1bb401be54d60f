/** What browsers make of the cors option: clients of pages of another port. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startApp } from '../support/app';
import { askInPage, openBrowser, servePage } from '../support/browser';
import { watchForCrashes } from '../support/remains';

const BOOT_WARNING = /WARN.*IO_CORS_CREDENTIALS/;

for (const version of [2, 4] as const) {
  test(`in a browser, client ${version} of another port gets in as the guide has it, and with what is warned of it does if it is of 4`, async t => {
    watchForCrashes(t);
    const pagePort = await servePage(t, version);
    const page = await openBrowser(t);
    await page.goto(`http://localhost:${pagePort}/`);
    const ways: [cors: string, isWarned: boolean][] = [
      [`{ origin: ['http://localhost:${pagePort}'], credentials: true }`, false],
      [`{ origin: true, credentials: true }`, false],
      [`{ origin: '*' }`, true],
      [`{ origin: ['http://localhost:${pagePort}'] }`, true],
    ];
    for (const [cors, isWarned] of ways) {
      const app = await startApp(t, {
        'config/config.default.js': `exports.io = { init: { cors: ${cors} } };`,
        'app/router.js': `module.exports = app => app.io.route('whoAmI', async () => 'in');`,
      });
      assert.equal(app.logs.filter(line => BOOT_WARNING.test(line)).length, isWarned ? 1 : 0, cors);
      const options = { transports: ['polling', 'websocket'], server: `http://localhost:${app.port}`, withCredentials: undefined };
      const answer = String(await page.evaluate(askInPage, options));
      assert.match(answer, version === 2 && isWarned ? /^refused: xhr poll error/ : /^in$/, cors);
      await app.close();
    }
  });
}
