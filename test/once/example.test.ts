/** The example as people use it: started by the script of `npm start`, in a real browser. The steps share their pages and follow one another. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { ioAt, type OpenClient, ReplyError } from 'egg-socket.io/test';
import { type BrowserContextOptions, chromium, type Locator, type Page } from 'playwright-core';
import { ROOT } from '../support/app';
import { npmStart } from '../support/example';
import { freePort } from '../support/port';
import { childrenOf, processesOf } from '../support/processes';

type Headers = Record<string, string>;

interface User {
  id: string;
  name: string;
}

/** An element of the page, as far as it is read here. */
interface Item {
  className: string;
  textContent: string;
  lastElementChild: Item;
}

/** What is tested of example/chat/app/memory.ts, which is compiled with the example and not with the tests. */
interface ChatMemory {
  claim(user: User, online?: readonly string[]): void;
  leave(userId: string): void;
  forget(userId: string): void;
  conversation(one: string, other: string): readonly unknown[];
  keep(one: string, other: string, message: object): void;
}

/** What is tested of example/chat/app/memory-link.ts. */
interface MemoryLinkModule {
  MemoryLink: new (messenger: EventEmitter) => { ask(method: string, ...args: unknown[]): Promise<unknown> };
  answerWith(memory: ChatMemory, agent: { messenger: EventEmitter; logger: { error(error: unknown): void } }): void;
}

/** Taken anew with UPDATE_SCREENSHOT=1. */
const SCREENSHOT = join(ROOT, 'docs/images/chat.png');

test('the example chat', { timeout: 180_000 }, async t => {
  const browser = await chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: [
      ...['--no-sandbox', '--headless', '--disable-gpu', '--disable-quic', '--no-first-run'],
      ...['--disable-background-networking', '--disable-component-update', '--disable-sync'], // it talks to nobody but the example
    ],
  });
  t.after(() => browser.close());
  const { pid, listening } = npmStart(t, await freePort());
  const url = await listening();
  const io = ioAt(url, { timeout: 20_000 }); // the chat itself answers after 5 s where something hangs
  const pageErrors: Error[] = [];

  async function openPage(options: BrowserContextOptions = {}): Promise<Page> {
    const context = await browser.newContext({ locale: 'en-US', viewport: { width: 1120, height: 720 }, ...options });
    context.setDefaultTimeout(10_000);
    const page = await context.newPage();
    page.on('pageerror', error => pageErrors.push(error));
    await page.goto(url);
    return page;
  }

  const ada = await openPage({ deviceScaleFactor: 1.5 });
  const phone = { viewport: { width: 390, height: 780 } };
  let ming = await openPage(phone);

  await t.test('refuses who is not logged in, with a code', async () => {
    assert.deepEqual((await io('/chat')).refused, { message: 'Please log in first', code: 'NOT_LOGGED_IN' });
  });

  await t.test('does not log in a form without the token against forgery', async () => {
    const { status } = await fetch(`${url}/session`, { method: 'POST', body: new URLSearchParams({ name: 'Eve' }) });
    assert.equal(status, 403);
  });

  await t.test('lets in who says a name, and shows who is there', async () => {
    await logIn(ada, 'Ada');
    await logIn(ming, '小明');
    await person(ada, '小明').waitFor();
    await ming.getByRole('button', { name: 'Conversations' }).click();
    await person(ming, 'Ada').waitFor();
    await openRoom(ming, 'lobby');
  });

  await t.test('brings people together who are at different workers', async () => {
    // each connection goes to the next worker in turn, and a new page makes several: with one more of ours each time they begin at the other
    for (let tries = 1; (await workerOf(ming)) === (await workerOf(ada)); tries++) {
      const storageState = await ming.context().storageState(); // who it is
      await ming.context().close();
      await Promise.all(Array.from({ length: tries }, async () => fetch(url, { headers: { connection: 'close' } })));
      ming = await openPage({ ...phone, storageState });
      await online(ming).waitFor();
    }
    const [master = 0] = childrenOf(pid);
    const workers = [await workerOf(ada), await workerOf(ming)];
    assert.deepEqual(workers.sort(), processesOf(master).workers.sort());
    await person(ada, '小明').locator('.is-online').waitFor();
  });

  await t.test('shows beside the field why a name is refused', async () => {
    const other = await openPage();
    const name = other.getByLabel('Your name');
    await name.and(other.locator(':focus')).waitFor();
    assert.deepEqual(await focusedField(other), { isInvalid: false, description: '' }, 'nothing is wrong yet');
    await isRefused(name, '', 'Please enter a name');
    await isRefused(name, '!!!', 'A name needs at least one letter or number');
    await isRefused(name, 'Ada'.repeat(7), 'That is too long: 21 characters, and 20 are allowed');
    await isRefused(name, 'Ada', 'Ada is taken: choose another name');
    await other.context().close();
  });

  await t.test('carries what people say, and that they are about to', async () => {
    await say(ada, 'Hello! How do rooms work in version 5?');
    await message(ming, 'Hello! How do rooms work in version 5?').waitFor();
    await composer(ming).pressSequentially('你好！');
    await ada.getByText('小明 is typing …').waitFor();
    await say(ming, '你好！跟以前一样，在控制器里 ctx.socket.join(room) 就行了。');
    await message(ada, '跟以前一样').waitFor();
    await ada.getByText('小明 is typing …').waitFor({ state: 'hidden' });
    await say(ming, '返回值就是 ack，抛出的错误也会回到同一个 ack 里。');
    await say(ada, 'Nice, 谢谢！ No more callbacks to carry around.');
    await message(ming, '谢谢！').waitFor();
  });

  await t.test('shows beside the field why a message is refused, and keeps the text until it is mended', async () => {
    await isRefused(composer(ada), '   ', 'Please write something first');
    const text = '长'.repeat(502);
    await isRefused(composer(ada), text, 'That is too long: 502 characters, and 500 are allowed');
    assert.equal(await composer(ada).inputValue(), text);

    await composer(ada).press('Backspace'); // still too long
    assert.equal(await composer(ada).getAttribute('aria-invalid'), 'true');
    await composer(ada).press('Backspace');
    await alert(ada, 'That is too long').waitFor({ state: 'hidden' });
    assert.deepEqual(await focusedField(ada), { isInvalid: false, description: '' });
    await composer(ada).fill('');
  });

  await t.test('has a screen reader read once why a message is refused, and again if the same is refused again', async () => {
    const live = async (): Promise<string | null> => ada.locator('#text-error').getAttribute('aria-live');
    await isRefused(composer(ada), ' ', 'Please write something first');
    assert.equal(await live(), 'off', 'it is read with the field, which gets the focus');
    const gone = ada.evaluate(`new Promise(resolve => {
      const look = () => (document.getElementById('text-error').textContent === '' ? resolve() : requestAnimationFrame(look));
      look();
    })`);
    await composer(ada).press('Enter');
    await gone;
    await alert(ada, 'Please write something first').waitFor();
    assert.equal(await live(), 'assertive', 'the field has the focus already');
    await composer(ada).fill('');
  });

  await t.test('shows beside their fields why a room and an announcement are refused', async () => {
    const room = ada.getByRole('textbox', { name: 'New room' });
    await isRefused(room, '  ', 'Please enter a name for the room');
    await isRefused(room, 'r'.repeat(21), 'That is too long: 21 characters, and 20 are allowed');
    await room.fill('');
    await ada.getByRole('button', { name: 'Announce' }).click();
    const announcement = ada.getByLabel('Announcement');
    await isRefused(announcement, '  ', 'Please write something first');
    await ada.keyboard.press('Escape');
    await ada.getByRole('button', { name: 'Announce' }).click();
    await announcement.and(ada.locator(':focus')).waitFor();
    assert.deepEqual([await announcement.inputValue(), await focusedField(ada)], ['', { isInvalid: false, description: '' }]);
    await ada.getByRole('button', { name: 'Cancel' }).click();
  });

  const bobsSession = await loggedIn(url, 'Bob');

  await t.test('refuses the same from clients that do not check what they send', async () => {
    const bob = await io('/chat', { extraHeaders: bobsSession });
    const lobby = { room: 'lobby' };
    const isRefusedAs = async (event: string, args: unknown[], ...details: [path: (string | number)[], message: string][]): Promise<void> =>
      assert.rejects(bob.call(event, ...args), {
        code: 'INVALID_ARGUMENT',
        message: `Invalid arguments of event '${event}'`,
        details: details.map(([path, message]) => ({ path, message })),
      });
    await isRefusedAs('say', [lobby, '   '], [[1], 'Please write something first']);
    await isRefusedAs('say', [lobby, 'x'.repeat(501)], [[1], 'That is too long: 501 characters, and 500 are allowed']);
    await isRefusedAs('say', [lobby], [[1], 'Please write something first']);
    await isRefusedAs('say', [lobby, 'Hello', 'World'], [[2], 'Unexpected argument']);
    await isRefusedAs('join', [{ room: '' }], [[0, 'room'], 'Please enter a name for the room']);
    await isRefusedAs('join', [{ room: 'r'.repeat(21) }], [[0, 'room'], 'That is too long: 21 characters, and 20 are allowed']);

    bob.send('typing', 'lobby');
    assert.deepEqual((await bob.next('error')).slice(0, 2), [
      "Invalid arguments of event 'typing'",
      { code: 'INVALID_ARGUMENT', event: 'typing' },
    ]);

    const response = await tryToLogIn(url, '!!!');
    assert.equal(response.status, 400);
    assert.deepEqual(await response.json(), { code: 'INVALID_ARGUMENT', message: 'A name needs at least one letter or number' });
  });

  await t.test('opens a conversation although somebody says something while its button is pressed', async () => {
    const bob = await io('/chat', { extraHeaders: bobsSession });
    await bob.call('enter');
    await bob.call('join', { room: 'lobby' });
    await person(ada, '小明').hover();
    await ada.mouse.down();
    await bob.call('say', { room: 'lobby' }, 'May I come in?');
    await message(ada, 'May I come in?').waitFor();
    await ada.mouse.up();
    await ada.getByRole('heading', { name: '小明', exact: true }).waitFor();
    await openRoom(ada, 'lobby');
  });

  await t.test('brings a private message to one person alone', async () => {
    const bob = await io('/chat', { extraHeaders: bobsSession });
    const heard: unknown[] = [];
    bob.socket.onAny((...event) => heard.push(event));
    await bob.call('enter');
    await bob.call('join', { room: 'lobby' });

    await openPerson(ada, '小明');
    await say(ada, '只有你能看到：晚上一起吃饭？');
    await ming.getByRole('button', { name: 'Conversations' }).click();
    assert.equal(await person(ming, 'Ada').locator('.unread').textContent(), '1');
    await openPerson(ming, 'Ada');
    await message(ming, '只有你能看到').waitFor();
    await say(ming, '好的，七点见');
    await message(ada, '好的，七点见').waitFor();

    await openRoom(ada, 'lobby');
    await say(ada, 'Bob is here as well.');
    while (!JSON.stringify(heard).includes('Bob is here as well.')) await bob.next('message');
    assert.doesNotMatch(JSON.stringify(heard), /只有你能看到|七点见/);
  });

  await t.test('opens a room that everybody sees, and shows what has been said there before', async () => {
    await ada.getByRole('textbox', { name: 'New room' }).fill('egg-5');
    await ada.getByRole('textbox', { name: 'New room' }).press('Enter');
    await ada.getByRole('heading', { name: '# egg-5' }).waitFor();
    await say(ada, 'We moved to egg-socket.io 5 today. 今天升级完了！');
    await ming.getByRole('button', { name: 'Conversations' }).click();
    await openRoom(ming, 'egg-5');
    await message(ming, '今天升级完了').waitFor();
    await say(ming, '这么快？老客户端还能连吗？');
    await message(ada, '老客户端还能连吗').waitFor();
  });

  await t.test('tells of who has lost the connection, who comes back to what was said meanwhile', async () => {
    await answered(ming); // with an answer on its way, Chromium may close the WebSocket only once it is online again
    await ming.context().setOffline(true);
    await ming.getByRole('status').getByText('Offline, trying again …').waitFor();
    await ada.getByText('小明 has gone offline').waitFor();
    await composer(ming).fill('等一下，我在隧道里');
    await composer(ming).press('Enter');
    await waiting(ming).waitFor();
    await say(ada, 'They do, 2.x and 3.x alike. 你不在的时候试过了。');
    assert.equal(await message(ming, '你不在的时候').count(), 0);

    await ming.context().setOffline(false);
    await online(ming).waitFor();
    await message(ming, '你不在的时候').waitFor();
    await message(ada, '我在隧道里').waitFor(); // sent by itself
    await waiting(ming).waitFor({ state: 'hidden' });
    assert.equal(await message(ada, '我在隧道里').count(), 1);
    await person(ada, '小明').locator('.is-online').waitFor();
  });

  await t.test('marks what a page has missed that has cut its network, and tells the others of it only after a while', async () => {
    const cut = ming.getByRole('button', { name: 'Cut the network' });
    const start = Date.now();
    await cut.click();
    await ming.getByRole('status').getByText('Cut off').waitFor();
    await say(ada, 'Still there?');
    await say(ada, 'It seems not.');
    await person(ada, '小明').locator('.is-online').waitFor({ state: 'detached' });
    assert.ok(Date.now() - start >= 2000, 'the grace time in the config of the chat');

    await cut.click();
    await online(ming).waitFor();
    assert.equal(await cut.getAttribute('aria-pressed'), 'false');
    await message(ming, 'It seems not.').waitFor();
    await say(ada, 'Welcome back!');
    await message(ming, 'Welcome back!').waitFor();
    assert.deepEqual(await shownAfter(ming, '我在隧道里'), [
      '— While you were offline · 离线期间',
      '* Still there?',
      '* It seems not.',
      'Welcome back!',
    ]);
    await person(ada, '小明').locator('.is-online').waitFor();
  });

  await t.test('marks the gap where a page was away for longer than the server keeps what is said', async () => {
    // what it would recover without its history is for two minutes: as if these were over
    await ming.route(/socket\.io/, async route => {
      const body = route
        .request()
        .postData()
        ?.replace(/"(pid|offset)":"[^"]*",?/g, '');
      await route.continue(body === undefined ? {} : { postData: body });
    });
    const cut = ming.getByRole('button', { name: 'Cut the network' });
    await cut.click();
    await ming.getByRole('status').getByText('Cut off').waitFor();
    for (const name of ['Gus', 'Gil']) {
      const client = await io('/chat', { extraHeaders: await loggedIn(url, name) });
      await client.call('join', { room: 'egg-5' });
      for (let index = 1; index <= 26; index++) await client.call('say', { room: 'egg-5' }, `${name} ${index}`);
    }
    await cut.click();
    await message(ming, 'Gil 26').waitFor();
    assert.deepEqual((await shownAfter(ming, 'Welcome back!')).slice(0, 3), [
      '— Some messages are missing here · 这里缺了几条消息',
      '— While you were offline · 离线期间',
      '* Gus 3',
    ]);
    await ming.unroute(/socket\.io/);
  });

  await t.test('shows everybody an announcement that came by HTTP', async () => {
    await ada.getByRole('button', { name: 'Announce' }).click();
    await ada.getByLabel('Announcement').fill('今晚八点升级服务器，大约五分钟。');
    await ada.getByLabel('Announcement').press('Enter');
    for (const page of [ada, ming]) await page.getByRole('status').getByText('今晚八点升级服务器').waitFor();
  });

  if (process.env['UPDATE_SCREENSHOT'] === '1') await takeScreenshot(io, bobsSession, ada, ming);

  await t.test('shows the error of a server in between that answers with a page', async () => {
    const announcements = `${url}/announcements`;
    await ada.route(announcements, async route => route.fulfill({ status: 502, contentType: 'text/html', body: '<h1>Bad Gateway</h1>' }));
    await ada.getByRole('button', { name: 'Announce' }).click();
    await ada.getByLabel('Announcement').fill('不会到');
    await ada.getByLabel('Announcement').press('Enter');
    await alert(ada, 'The server has answered with an error: 502').waitFor();
    await ada.getByRole('button', { name: 'Cancel' }).click();
    await ada.unroute(announcements);

    const other = await openPage();
    await other.route(`${url}/session`, async route => route.fulfill({ status: 502, contentType: 'text/html', body: '' }));
    await other.reload();
    await alert(other, 'The server has answered with an error: 502').waitFor();
    await other.context().close();
  });

  const other = await openPage();

  const sent: string[] = [];
  /** Answers of the server that are on their way, once this is an array. */
  let held: (() => void)[] | undefined;
  const release = (): void => {
    for (const send of held ?? []) send();
    held = undefined;
  };

  await t.test('shows a message once, even if it comes again after the history that has it', async () => {
    const repeated: unknown[] = [];
    await other.routeWebSocket(/socket\.io/, page => {
      const server = page.connectToServer();
      page.onMessage(frame => {
        const text = String(frame);
        sent.push(text);
        const [, id] = /^42\/chat,(\d+).*"Refused by other code"/.exec(text) ?? [];
        if (id) page.send(`43/chat,${id}[{"error":{"code":"INVALID_ARGUMENT","message":"Not here"}}]`);
        else server.send(text.replace('Written by an old page', ''));
      });
      server.onMessage(frame => {
        if (held && String(frame).startsWith('43/chat,')) held.push(() => page.send(frame));
        else page.send(frame);
        if (!/^42\/chat,\["\$io:event".*"message"/.test(String(frame))) return;
        page.send(frame);
        repeated.push(frame);
      });
    });
    await other.reload();
    await logIn(other, 'Echo');
    let said = 0;
    while (repeated.length === 0) await say(other, `No. ${++said}`); // it may still be polling
    await say(other, 'That is all');
    assert.equal(await message(other, `No. ${said}`).count(), 1);
  });

  await t.test('shows beside the field what only the server refuses', async () => {
    await isRefused(composer(other), 'Written by an old page', 'Please write something first');
    await say(other, 'Mended');
    assert.deepEqual(await focusedField(other), { isInvalid: false, description: '' });
  });

  await t.test('shows an error with the same code that says nothing of the fields', async () => {
    await answered(other);
    await composer(other).fill('Refused by other code');
    await composer(other).press('Enter');
    await alert(other, 'Not here').waitFor();
    await composer(other).fill('');
  });

  await t.test('sends once what is submitted twice, and keeps what is typed until the answer comes', async () => {
    held = [];
    await composer(other).fill('First');
    await composer(other).press('Enter');
    await message(other, 'First').waitFor();
    await composer(other).press('Enter');
    await composer(other).fill('Second');
    release();
    await answered(other);
    assert.equal(await composer(other).inputValue(), 'Second');
    assert.equal(sent.filter(frame => frame.includes('"First"')).length, 1);
    await composer(other).press('Enter');
    await message(other, 'Second').waitFor();
  });

  await t.test('does not take the focus from who has gone elsewhere before the server refuses', async () => {
    await answered(other);
    held = [];
    await composer(other).fill('Written by an old page');
    await composer(other).press('Enter');
    const room = other.getByRole('textbox', { name: 'New room' });
    await room.focus();
    release();
    await alert(other, 'Please write something first').waitFor();
    assert.ok(await room.and(other.locator(':focus')).isVisible());
    assert.equal(await other.locator('#text-error').getAttribute('aria-live'), 'assertive', 'which is read without the focus');
    await other.context().close();
  });

  await t.test('answers who sends too much with an error, from however many pages', async () => {
    const extraHeaders = await loggedIn(url, 'Mallory');
    const pages = await Promise.all([1, 2, 3].map(async () => io('/chat', { extraHeaders })));
    // together more than twice what is allowed in one go, and less than that from each
    const all = Promise.all(pages.flatMap(page => Array.from({ length: 40 }, async () => page.call('enter'))));
    await assert.rejects(all, { code: 'TOO_FAST', message: 'Too many at once: please wait a moment' });
  });

  await t.test('answers who announces too much with the same error', async () => {
    const headers = await loggedIn(url, 'Trudy');
    const announce = async (): Promise<number> =>
      (await fetch(`${url}/announcements`, { method: 'POST', headers, body: new URLSearchParams({ text: 'Buy!' }) })).status;
    const answers = await Promise.all(Array.from({ length: 120 }, announce));
    assert.deepEqual([...new Set(answers)].sort(), [204, 429]);
  });

  await t.test('gives a name to one login alone, until that one logs out', async () => {
    const first = await loggedIn(url, 'Twin'); // connected by nobody yet
    assert.equal((await tryToLogIn(url, 'Twin')).status, 409);
    const twin = await io('/chat', { extraHeaders: first });
    assert.equal((await tryToLogIn(url, 'Twin')).status, 409);

    assert.equal((await fetch(`${url}/session`, { method: 'DELETE', headers: first })).status, 200);
    assert.equal(await twin.gone(), 'io server disconnect'); // the connection ends with the session
    await loggedIn(url, 'Twin');

    // a copy of the first cookie is no way back to the name
    assert.equal((await io('/chat', { extraHeaders: first })).refused?.code, 'NAME_TAKEN');
    assert.equal(
      (await fetch(`${url}/announcements`, { method: 'POST', headers: first, body: new URLSearchParams({ text: 'It is me' }) })).status,
      409,
    );
    const page = await openPage();
    await page.context().addCookies(cookiesOf(url, first));
    await page.reload();
    await alert(page, 'Twin is taken: choose another name').waitFor();
    await page.getByLabel('Your name').waitFor();
    await page.context().close();
  });

  await t.test('comes back online although somebody it was talking to has gone for good', async () => {
    const headers = await loggedIn(url, 'Guest');
    const guest = await io('/chat', { extraHeaders: headers });
    await guest.call('enter');
    await openPerson(ada, 'Guest');
    await fetch(`${url}/session`, { method: 'DELETE', headers });
    await guest.gone();

    await ada.context().setOffline(true);
    await ada.getByRole('status').getByText('Offline, trying again …').waitFor();
    await ada.context().setOffline(false);
    await online(ada).waitFor();
    await alert(ada, 'There is no such person here').waitFor();
    await openRoom(ada, 'lobby');
    await message(ada, 'Bob is here as well.').waitFor();
  });

  await t.test('does not end what there is, whatever somebody joins', async () => {
    const eve = await io('/chat', { extraHeaders: await loggedIn(url, 'Eve') });
    await assert.rejects(eve.call('join', { user: 'nobody' }), { code: 'NO_SUCH_USER', message: 'There is no such person here' });
    const names = Array.from({ length: 40 }, (_, index) => `eve-${index}`);
    const answers = await Promise.allSettled(names.map(async room => eve.call('join', { room })));
    const last = answers.at(-1);
    assert.ok(last?.status === 'rejected' && last.reason instanceof ReplyError);
    assert.deepEqual([last.reason.code, last.reason.message], ['TOO_MANY_ROOMS', 'There are too many rooms already']);
    const opened = names.filter((_, index) => answers[index]?.status === 'fulfilled');
    const { rooms } = (await eve.call('enter')) as { rooms: string[] };
    assert.deepEqual(rooms, ['lobby', '闲聊', 'egg-5', ...opened]);
    await room(ada, opened.at(-1) ?? '').waitFor();
    assert.match(JSON.stringify(await eve.call('join', { room: 'lobby' })), /Bob is here as well/);

    await ming.getByRole('button', { name: 'Conversations' }).click();
    await openPerson(ming, 'Ada');
    await message(ming, '只有你能看到').waitFor();
  });

  await t.test('is left even if the session has ended before', async () => {
    const zoe = await openPage();
    await logIn(zoe, 'Zoe');
    const cookies = await zoe.context().cookies();
    await zoe.context().clearCookies(); // with the token against forgery, so that Egg refuses
    await zoe.getByRole('button', { name: 'Log out' }).click();
    await alert(zoe, /csrf/).waitFor();
    await zoe.context().addCookies(cookies.filter(({ name }) => name === 'csrfToken'));
    await zoe.getByRole('button', { name: 'Log out' }).click();
    await zoe.getByLabel('Your name').waitFor();
    await zoe.context().close();
  });

  await t.test('leaves nothing to the next person when a session ends', async () => {
    const page = await openPage();
    await logIn(page, 'Yan');
    await isRefused(composer(page), ' ', 'Please write something first');
    await page.getByRole('button', { name: 'Announce' }).click();
    await page.getByLabel('Announcement').fill('Do not send this yet');
    const headers = headersOf((await page.context().cookies()).map(({ name, value }) => `${name}=${value}`));
    assert.equal((await fetch(`${url}/session`, { method: 'DELETE', headers })).status, 200); // in another window
    await page.getByLabel('Your name').and(page.locator(':focus')).waitFor();
    await logIn(page, 'Yu');
    await composer(page).focus();
    assert.deepEqual([await composer(page).inputValue(), await focusedField(page)], ['', { isInvalid: false, description: '' }]);
    await page.context().close();
  });

  await t.test('sends nothing that waits in the name of the next person', async () => {
    const page = await openPage();
    await logIn(page, 'Xia');
    await page.getByRole('button', { name: 'Cut the network' }).click();
    await page.getByRole('status').getByText('Cut off').waitFor();
    await composer(page).fill('In my name alone');
    await composer(page).press('Enter');
    await waiting(page).waitFor();
    await page.getByRole('button', { name: 'Log out' }).click();
    await logIn(page, 'Xu');
    await say(page, 'Is that all?');
    assert.equal(await message(page, 'In my name alone').count(), 0);
    await page.context().close();
  });

  await t.test('brings the people of a worker that is killed to another, and forgets who does not come back', async () => {
    const killed = await workerOf(ming);
    await connectTo(io, killed, await loggedIn(url, 'Carol')); // does not come back
    await person(ada, 'Carol').waitFor();

    process.kill(killed, 'SIGKILL');
    for (const page of [ada, ming])
      await page
        .getByRole('status')
        .getByText(new RegExp(`^Online · worker (?!${killed}$)`))
        .waitFor();
    await person(ada, 'Carol').waitFor({ state: 'detached' });
    await person(ada, '小明').locator('.is-online').waitFor();
    await ming.locator('#people .is-online').first().waitFor({ state: 'attached' });
    await say(ming, '换了一个进程，没感觉。');
    await openPerson(ada, '小明');
    await message(ada, '换了一个进程').waitFor();
  });

  await t.test('goes on when the agent has been started anew, but for what was said before', { timeout: 60_000 }, async () => {
    const bob = await io('/chat', { extraHeaders: bobsSession });
    const isNew = new Promise<void>(resolve => {
      bob.socket.on('rooms', (rooms: string[]) => void (rooms.length === 2 && resolve()));
    });
    const [master = 0] = childrenOf(pid);
    const { agent = 0 } = processesOf(master);

    process.kill(agent, 'SIGKILL');
    const text = 'The chat does not answer: try again in a moment';
    const refused = assert.rejects(bob.call('join', { room: 'lobby' }), { code: 'UNAVAILABLE', message: text });
    await ming.reload(); // it cannot come in for the moment, and tries again
    await refused;
    await online(ming).waitFor({ timeout: 30_000 });
    await isNew;
    assert.deepEqual(await bob.call('join', { room: 'lobby' }), []);
    assert.equal((await tryToLogIn(url, 'Ada')).status, 409);
    await say(ada, '还在！');
    assert.equal(await message(ada, '换了一个进程').count(), 1, 'what a page shows stays there');
  });

  await t.test('is left by logging out', async () => {
    await ming.getByRole('button', { name: 'Conversations' }).click();
    await ming.getByRole('button', { name: 'Log out' }).click();
    await ming.getByLabel('Your name').waitFor();
    await person(ada, '小明').locator('.is-offline').waitFor();
  });

  await t.test('knows no session of another start', async t => {
    const other = await npmStart(t, await freePort()).listening();
    const headers = bobsSession;
    assert.equal(((await (await fetch(`${url}/session`, { headers })).json()) as { user: User }).user.name, 'Bob');
    assert.deepEqual(await (await fetch(`${other}/session`, { headers })).json(), { user: null });
  });

  assert.deepEqual(pageErrors, []);
});

test('a command writes the documents of the example chat', { timeout: 60_000 }, async () => {
  const args = [join(ROOT, 'migrate/dist/egg-socket.io.js'), 'reference', join(ROOT, 'example/chat/dist')];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  assert.match(stdout, /^# .*egg-socket\.io-example-chat/);
  for (const event of ['enter', 'join', 'say', 'typing', 'message', 'rooms', 'presence', 'announcement'])
    assert.ok(stdout.includes(`\`${event}\``), event);
});

test('the example chat keeps a name for a minute without a connection', t => {
  t.mock.timers.enable({ apis: ['Date'] });
  const memory = newMemory();
  const [first, second] = ['1', '2'].map(id => ({ id, name: 'Twin' })) as [User, User]; // two ids, two users
  const minute = 60_000;

  memory.claim(first);
  t.mock.timers.tick(minute);
  assert.throws(() => memory.claim(second), { code: 'NAME_TAKEN' });
  t.mock.timers.tick(60 * minute);
  assert.throws(() => memory.claim(second, [first.id]), { code: 'NAME_TAKEN' });
  memory.leave(first.id);
  t.mock.timers.tick(minute);
  assert.throws(() => memory.claim(second), { code: 'NAME_TAKEN' });
  t.mock.timers.tick(1);
  memory.claim(second);
  assert.throws(() => memory.claim(first), { code: 'NAME_TAKEN' });
  memory.forget(second.id);
  memory.leave(second.id); // the connection ends after the session
  memory.claim(first);
});

test('the example chat forgets the private conversation that has been quiet for longest, and none for being looked up', () => {
  const memory = newMemory();
  const saidTo = (user: string): number => memory.conversation('ada', user).length;
  const keep = (user: string): void => memory.keep('ada', user, {});

  keep('early');
  keep('quiet');
  for (let index = 0; index < 500; index++) memory.conversation('ada', `looked up ${index}`);
  for (let index = 0; index < 198; index++) keep(`other ${index}`); // 200 are kept
  assert.deepEqual([saidTo('early'), saidTo('quiet')], [1, 1]);
  keep('early');
  keep('one more');
  assert.deepEqual([saidTo('early'), saidTo('quiet')], [2, 0]);
});

test('the memory of the example chat answers a worker with what a method returns or throws', async () => {
  const { messengers, MemoryLink, answerWith } = newLink();
  const logged: unknown[] = [];
  answerWith(newMemory(), { messenger: messengers.agent, logger: { error: error => logged.push(error) } });
  const link = new MemoryLink(messengers.worker);
  let hasAsked = false;
  messengers.agent.once('chat-question', () => (hasAsked = true));

  const first = link.ask('isKnown', '1');
  await Promise.resolve();
  assert.ok(!hasAsked, 'Egg warns of what an agent sends before all have started');
  messengers.worker.emit('egg-ready');
  assert.equal(await first, false);

  assert.equal(await link.ask('claim', { id: '1', name: 'Ada' }), undefined);
  const taken = { name: 'IoError', code: 'NAME_TAKEN', message: 'Ada is taken: choose another name', status: 409 };
  await Promise.all([
    assert.rejects(link.ask('claim', { id: '2', name: 'Ada' }), taken),
    link.ask('claim', { id: '3', name: 'Bob' }), // each gets its own answer
  ]);

  // a bug is for the log of the agent
  await assert.rejects(link.ask('claim'), { code: 'INTERNAL_SERVER_ERROR', message: 'Internal Server Error', status: 500 });
  assert.equal(logged.length, 1);
  assert.ok(logged[0] instanceof TypeError);
});

test('a question to the memory of the example chat fails if it is not answered', async t => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { messengers, MemoryLink, answerWith } = newLink();
  const link = new MemoryLink(messengers.worker);
  messengers.worker.emit('egg-ready');
  const question = once(messengers.agent, 'chat-question');
  const answer = link.ask('isKnown', 'Ada');
  const rejected = assert.rejects(answer, { name: 'IoError', code: 'UNAVAILABLE', status: 503 });
  const [asked] = (await question) as [unknown];
  t.mock.timers.tick(5_000);
  await rejected;

  answerWith(newMemory(), { messenger: messengers.agent, logger: console });
  messengers.agent.emit('chat-question', asked); // too late: nobody minds
  assert.equal(await link.ask('isKnown', 'Ada'), false);
});

/** Both ends of Egg's messenger, which carries JSON. */
function newLink(): MemoryLinkModule & { messengers: Record<'worker' | 'agent', EventEmitter> } {
  const [worker, agent] = [new EventEmitter(), new EventEmitter()];
  const carry = (to: EventEmitter, action: string, data: unknown): void =>
    void setImmediate(() => to.emit(action, JSON.parse(JSON.stringify(data))));
  const module = require(join(ROOT, 'example/chat/dist/app/memory-link')) as MemoryLinkModule;
  return {
    ...module,
    messengers: {
      worker: Object.assign(worker, { sendToAgent: (action: string, data: unknown) => carry(agent, action, data) }),
      agent: Object.assign(agent, {
        sendTo(pid: string, action: string, data: unknown) {
          assert.equal(pid, String(process.pid));
          carry(worker, action, data);
        },
      }),
    },
  };
}

/** By itself, where neither page nor server matters. */
function newMemory(): ChatMemory {
  const { ChatMemory } = require(join(ROOT, 'example/chat/dist/app/memory')) as {
    ChatMemory: new (onRooms: () => void) => ChatMemory;
  };
  return new ChatMemory(() => {});
}

async function logIn(page: Page, name: string): Promise<void> {
  await page.getByLabel('Your name').fill(name);
  await page.getByRole('button', { name: 'Come in' }).click();
  await online(page).waitFor();
}

async function say(page: Page, text: string): Promise<void> {
  await answered(page);
  await composer(page).fill(text);
  await composer(page).press('Enter');
  await message(page, text).waitFor();
}

/** A form sends nothing until what it has sent before is answered. */
async function answered(page: Page): Promise<void> {
  await page.locator('form[aria-busy]').waitFor({ state: 'detached' });
}

/** Sends what is typed in a field. The page takes the person back to it, and says what is wrong. */
async function isRefused(field: Locator, typed: string, words: string): Promise<void> {
  const page = field.page();
  await answered(page);
  await field.fill(typed);
  await page.locator('form').filter({ has: field }).locator('button:not([type=button])').click(); // which takes the focus
  await alert(page, words).waitFor();
  await field.and(page.locator(':focus')).waitFor();
  assert.deepEqual(await focusedField(page), { isInvalid: true, description: words });
}

/** The field that has the focus, as a screen reader finds it. */
async function focusedField(page: Page): Promise<{ isInvalid: boolean; description: string }> {
  const session = await page.context().newCDPSession(page);
  const { nodes } = await session.send('Accessibility.getFullAXTree');
  await session.detach();
  const property = (node: (typeof nodes)[number], name: string): unknown =>
    node.properties?.find(known => known.name === name)?.value.value;
  const field = nodes.find(node => node.role?.value === 'textbox' && property(node, 'focused') === true);
  assert.ok(field, 'a field has the focus');
  return { isInvalid: property(field, 'invalid') === 'true', description: String(field.description?.value ?? '') };
}

function online(page: Page): Locator {
  return page.getByRole('status').getByText(/^Online · worker \d+$/);
}

/** What is written before the page shows the other conversation goes to the former one. */
async function openRoom(page: Page, name: string): Promise<void> {
  await room(page, name).click();
  await page.getByRole('heading', { name: `# ${name}`, exact: true }).waitFor();
}

async function openPerson(page: Page, name: string): Promise<void> {
  await person(page, name).click();
  await page.getByRole('heading', { name, exact: true }).waitFor();
}

/** The pid of the worker that a page is connected to. */
async function workerOf(page: Page): Promise<number> {
  return Number(/\d+$/.exec(await online(page).innerText())?.[0]);
}

/** A client that is connected to a certain worker: each connection goes to the next one in turn. */
async function connectTo(io: OpenClient, worker: number, extraHeaders: Headers): Promise<void> {
  for (;;) {
    const client = await io('/chat', { extraHeaders });
    if (((await client.call('enter')) as { worker: number }).worker === worker) return;
    client.disconnect();
  }
}

function composer(page: Page): Locator {
  return page.getByRole('textbox', { name: 'Message' });
}

function message(page: Page, text: string): Locator {
  return page.locator('#messages').getByText(text);
}

/** What is written below a message: `*` is before what was missed, and `—` before what is no message. */
async function shownAfter(page: Page, text: string): Promise<string[]> {
  const items = await page.locator('#messages li').evaluateAll((items: Item[]) =>
    items.map(({ className, textContent, lastElementChild }) => {
      if (/notice/.test(className)) return `— ${textContent}`;
      return `${/is-missed/.test(className) ? '* ' : ''}${lastElementChild.lastElementChild.textContent}`;
    }),
  );
  return items.slice(items.findLastIndex(item => item.includes(text)) + 1).filter(item => !item.includes('has gone offline'));
}

/** The line that says that a message waits for the network. */
function waiting(page: Page): Locator {
  return page.getByRole('status').getByText('This is sent when you are online again');
}

function alert(page: Page, text: string | RegExp): Locator {
  return page.locator('.error').getByText(text);
}

function room(page: Page, name: string): Locator {
  return page.locator('#rooms').getByRole('button', { name });
}

function person(page: Page, name: string): Locator {
  return page.locator('#people').getByRole('button', { name });
}

/** Logs in without a browser. Returns the headers that say so. */
async function loggedIn(url: string, name: string): Promise<Headers> {
  const response = await tryToLogIn(url, name);
  assert.equal(response.status, 200);
  return sessionHeaders(response);
}

async function tryToLogIn(url: string, name: string): Promise<Response> {
  const headers = { accept: 'application/json', ...sessionHeaders(await fetch(`${url}/session`)) };
  return fetch(`${url}/session`, { method: 'POST', headers, body: new URLSearchParams({ name }) });
}

function sessionHeaders(response: Response): Headers {
  return headersOf(response.headers.getSetCookie().map(line => line.split(';')[0] ?? ''));
}

/** @param cookies `name=value` */
function headersOf(cookies: string[]): Headers {
  const cookie = cookies.join('; ');
  const [, csrfToken = ''] = /csrfToken=([^;]+)/.exec(cookie) ?? [];
  return { cookie, 'x-csrf-token': csrfToken };
}

/** For a browser. */
function cookiesOf(url: string, { cookie = '' }: Headers): { name: string; value: string; url: string }[] {
  return cookie.split('; ').map(pair => {
    const [name = '', ...value] = pair.split('=');
    return { name, value: value.join('='), url };
  });
}

async function takeScreenshot(io: OpenClient, extraHeaders: Headers, ada: Page, ming: Page): Promise<void> {
  const bob = await io('/chat', { extraHeaders });
  await bob.call('enter');
  await bob.call('join', { room: 'egg-5' });
  await bob.call('say', { room: 'egg-5' }, 'And what a controller returns is the acknowledgement now.');
  await message(ming, 'what a controller returns').waitFor();
  await say(ming, '返回值就是 ack，抛出的错误也在同一个 ack 里。漂亮！');
  await say(ada, 'No more callbacks to carry around. 再也不用传回调了。');
  await ming.getByRole('button', { name: 'Conversations' }).click();
  await openPerson(ming, 'Ada');
  await say(ming, '晚上见！');
  await ming.getByRole('button', { name: 'Conversations' }).click();
  await openRoom(ming, 'egg-5');
  await person(ada, '小明').locator('.unread').waitFor();
  await ada.locator('#title').click(); // the focus is nowhere
  await composer(ming).pressSequentially('好');
  await ada.getByText('小明 is typing …').waitFor();
  await mkdir(dirname(SCREENSHOT), { recursive: true });
  await ada.screenshot({ path: SCREENSHOT });
}
