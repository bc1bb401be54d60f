/** The admin page in Chromium: as its user sees it. UPDATE_SCREENSHOT=1 takes the pictures of docs/admin.md anew. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { ROOT, startApp } from '../support/app';
import { openBrowser } from '../support/browser';
import { connect, next } from '../support/client';
import { until } from '../support/until';

const FILES = {
  'config/config.default.js': `exports.name = 'chat';
    exports.io = { admin: true, namespace: { '/chat': { connectionMiddleware: ['user'] } } };`,
  'app/io/middleware/user.js': `
    module.exports = () => async (ctx, next) => {
      const { user, rooms } = ctx.socket.handshake.auth;
      ctx.socket.user = user;
      ctx.socket.join(rooms);
      await next();
    };`,
  'app/router.js': `module.exports = app => {
    const chat = app.io.of('/chat');
    chat.route('say', async ctx => { chat.to(ctx.args[0].room).emit('said', ctx.args[0]); return 'ok'; });
    chat.route('rename', async () => { throw Object.assign(new Error('Taken'), { status: 409 }); });
  };`,
};

const NAMES = ['ada', 'ming', 'grace', 'alan', 'lin'];

test(
  'the page shows a socket and its events, emits and disconnects; on a phone it fits, in light and in dark',
  { timeout: 90_000 },
  async t => {
    const { url } = await startApp(t, FILES);
    const clients = [];
    for (const [index, user] of NAMES.entries())
      clients.push(await connect(t, `${url}/chat`, { auth: { user, rooms: ['lobby', `team ${index % 2}`] } }));
    const [ada] = clients;
    assert.ok(ada);
    const page = await openBrowser(t);
    const errors: string[] = [];
    page.on('pageerror', error => errors.push(error.message));
    page.on('console', message => message.type() === 'error' && errors.push(message.text()));
    await page.setViewportSize({ width: 1120, height: 1000 });
    await page.goto(`${url}/-/io`);
    await page.getByLabel('Namespace').selectOption('/chat');
    await page.getByRole('button', { name: 'ada', exact: true }).click();
    await page.getByRole('button', { name: 'user ada ✕' }).waitFor();
    await page.getByRole('button', { name: String(ada.id) }).click();
    await page.getByRole('heading', { name: `Socket ${ada.id}`, exact: true }).waitFor();
    await page.locator('#about', { hasText: 'lobby' }).waitFor(); // its events are recorded from now on

    await ada.emitWithAck('say', { room: 'lobby', text: 'secret' });
    await ada.emitWithAck('rename', 'grace');
    await page.locator('#seen tr', { hasText: '← said' }).waitFor();
    await page.locator('#seen tr', { hasText: '→ rename' }).locator('td.failed').waitFor();
    assert.doesNotMatch(await page.content(), /secret/);

    const heard = next(ada, 'notice');
    await page.getByLabel('Event').fill('notice');
    await page.getByLabel('Arguments, as a JSON array').fill('["back at five"]');
    await page.getByRole('button', { name: 'Emit' }).click();
    assert.deepEqual(await heard, ['back at five']);
    await page.locator('#seen tr', { hasText: '← notice' }).waitFor();
    await page.getByText(`Done: emitted 'notice' to socket ${ada.id} of /chat`).waitFor();
    await picture(page, 'admin');

    for (const colorScheme of ['dark', 'light'] as const) {
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize({ width: 390, height: 780 });
      const wide = await page.evaluate('document.documentElement.scrollWidth > document.documentElement.clientWidth');
      assert.equal(wide, false);
      const background = await page.evaluate('getComputedStyle(document.body).backgroundColor');
      assert.equal(background, colorScheme === 'dark' ? 'rgb(21, 22, 26)' : 'rgb(244, 245, 248)');
      if (colorScheme === 'dark') await picture(page, 'admin-phone');
    }

    await connect(t, `${url}/chat`, { auth: { user: '<b>eve</b>', rooms: [] } });
    const gone = next(ada, 'disconnect');
    page.on('dialog', dialog => void dialog.accept());
    await page.getByRole('button', { name: 'Disconnect' }).click();
    await gone;
    await page.getByText('It has gone.').waitFor();
    await page.getByRole('button', { name: 'Close' }).click();
    await page.getByRole('button', { name: 'user ada ✕' }).click();
    await page.getByLabel('Find').fill('EVE');
    await until(t, async () => (await page.locator('#sockets tr').count()) === 1);
    assert.equal(await page.locator('#sockets td:nth-child(2)').textContent(), '<b>eve</b>');
    assert.deepEqual(errors, []);
  },
);

async function picture(page: { screenshot(options: { path: string }): Promise<unknown> }, name: string): Promise<void> {
  if (process.env.UPDATE_SCREENSHOT) await page.screenshot({ path: join(ROOT, `docs/images/${name}.png`) });
}
