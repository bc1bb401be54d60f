/** The example as people use it: started by the script of `npm start`, in a real browser. The steps share their pages and follow one another. */
import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { type BrowserContextOptions, chromium, type Locator, type Page } from 'playwright-core';
import { ROOT } from '../support/app';
import { ask, connect, newClient, next, refusal } from '../support/client';
import { npmStart } from '../support/example';
import { freePort } from '../support/port';

type Headers = Record<string, string>;

interface User {
  id: string;
  name: string;
}

/** What is tested of example/chat/app/memory.ts, which is compiled with the example and not with the tests. */
interface ChatMemory {
  claim(user: User): unknown;
  arrive(user: User, socketId: string): boolean;
  leave(user: User, socketId: string): boolean;
  history(me: User, to: { user: string }): readonly unknown[];
  keep(from: User, to: { user: string }, text: string): unknown;
}

/** Taken anew with UPDATE_SCREENSHOT=1. */
const SCREENSHOT = join(ROOT, 'docs/images/chat.png');

test('the example chat', async t => {
  const browser = await chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: [
      ...['--no-sandbox', '--headless', '--disable-gpu', '--disable-quic', '--no-first-run'],
      ...['--disable-background-networking', '--disable-component-update', '--disable-sync'], // it talks to nobody but the example
    ],
  });
  t.after(() => browser.close());
  const url = await npmStart(t, await freePort()).listening();
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
  const ming = await openPage({ viewport: { width: 390, height: 780 } });

  await t.test('refuses who is not logged in, with a code', async t => {
    const error = await refusal(newClient(t, `${url}/chat`));
    assert.deepEqual([error.message, error.data], ['Please log in first', { code: 'NOT_LOGGED_IN' }]);
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
    await room(ming, 'lobby').click();
  });

  await t.test('shows why a name is refused', async () => {
    const other = await openPage();
    await other.getByLabel('Your name').fill('Ada');
    await other.getByRole('button', { name: 'Come in' }).click();
    await alert(other, 'Ada is taken: choose another name').waitFor();
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

  await t.test('shows the error of an acknowledgement, and keeps the text', async () => {
    const text = '长'.repeat(501);
    await composer(ada).fill(text);
    await composer(ada).press('Enter');
    await alert(ada, 'That is too long: 501 characters, and 500 are allowed').waitFor();
    assert.equal(await composer(ada).inputValue(), text);
    await composer(ada).fill('');
    await alert(ada, 'That is too long').waitFor({ state: 'hidden' });
  });

  const bobsSession = await loggedIn(url, 'Bob');

  await t.test('brings a private message to one person alone', async t => {
    const bob = await connect(t, `${url}/chat`, { extraHeaders: bobsSession });
    const heard: unknown[] = [];
    bob.onAny((...event) => heard.push(event));
    await ask(bob, 'enter');
    await ask(bob, 'join', { room: 'lobby' });

    await person(ada, '小明').click();
    await say(ada, '只有你能看到：晚上一起吃饭？');
    await ming.getByRole('button', { name: 'Conversations' }).click();
    assert.equal(await person(ming, 'Ada').locator('.unread').textContent(), '1');
    await person(ming, 'Ada').click();
    await message(ming, '只有你能看到').waitFor();
    await say(ming, '好的，七点见');
    await message(ada, '好的，七点见').waitFor();

    await room(ada, 'lobby').click();
    await say(ada, 'Bob is here as well.');
    while (!JSON.stringify(heard).includes('Bob is here as well.')) await new Promise(resolve => bob.once('message', resolve));
    assert.doesNotMatch(JSON.stringify(heard), /只有你能看到|七点见/);
  });

  await t.test('opens a room that everybody sees, and shows what has been said there before', async () => {
    await ada.getByRole('textbox', { name: 'New room' }).fill('egg-5');
    await ada.getByRole('textbox', { name: 'New room' }).press('Enter');
    await ada.getByRole('heading', { name: '# egg-5' }).waitFor();
    await say(ada, 'We moved to egg-socket.io 5 today. 今天升级完了！');
    await ming.getByRole('button', { name: 'Conversations' }).click();
    await room(ming, 'egg-5').click();
    await message(ming, '今天升级完了').waitFor();
    await say(ming, '这么快？老客户端还能连吗？');
    await message(ada, '老客户端还能连吗').waitFor();
  });

  await t.test('tells of who has lost the connection, who comes back to what was said meanwhile', async () => {
    await ming.context().setOffline(true);
    await ming.getByRole('status').getByText('Offline, trying again …').waitFor();
    await ada.getByText('小明 has gone offline').waitFor();
    await composer(ming).fill('到不了');
    await composer(ming).press('Enter');
    await alert(ming, 'You are offline: this was not sent').waitFor();
    await composer(ming).fill('');
    await say(ada, 'They do, 2.x and 3.x alike. 你不在的时候试过了。');
    assert.equal(await message(ming, '你不在的时候').count(), 0);

    await ming.context().setOffline(false);
    await online(ming).waitFor();
    await message(ming, '你不在的时候').waitFor();
    await person(ada, '小明').locator('.is-online').waitFor();
  });

  await t.test('shows everybody an announcement that came by HTTP', async () => {
    await ada.getByRole('button', { name: 'Announce' }).click();
    await ada.getByLabel('Announcement').fill('今晚八点升级服务器，大约五分钟。');
    await ada.getByLabel('Announcement').press('Enter');
    for (const page of [ada, ming]) await page.getByRole('status').getByText('今晚八点升级服务器').waitFor();
  });

  if (process.env['UPDATE_SCREENSHOT'] === '1') await takeScreenshot(t, url, bobsSession, ada, ming);

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

  await t.test('answers who sends too much with an error, from however many pages', async t => {
    const extraHeaders = await loggedIn(url, 'Mallory');
    const pages = await Promise.all([1, 2, 3].map(async () => connect(t, `${url}/chat`, { extraHeaders })));
    // together more than twice what is allowed in one go, and less than that from each
    const answers = await Promise.all(pages.flatMap(page => Array.from({ length: 40 }, () => ask(page, 'enter'))));
    const expected = { error: { code: 'TOO_FAST', message: 'Too many at once: please wait a moment' } };
    assert.ok(answers.some(answer => isDeepStrictEqual(answer, expected)));
  });

  await t.test('answers who announces too much with the same error', async () => {
    const headers = await loggedIn(url, 'Trudy');
    const announce = async (): Promise<number> =>
      (await fetch(`${url}/announcements`, { method: 'POST', headers, body: new URLSearchParams({ text: 'Buy!' }) })).status;
    const answers = await Promise.all(Array.from({ length: 120 }, announce));
    assert.deepEqual([...new Set(answers)].sort(), [204, 429]);
  });

  await t.test('gives a name to one login alone, until that one logs out', async t => {
    const first = await loggedIn(url, 'Twin'); // connected by nobody yet
    assert.equal((await tryToLogIn(url, 'Twin')).status, 409);
    const twin = await connect(t, `${url}/chat`, { extraHeaders: first });
    assert.equal((await tryToLogIn(url, 'Twin')).status, 409);

    const disconnected = next(twin, 'disconnect');
    assert.equal((await fetch(`${url}/session`, { method: 'DELETE', headers: first })).status, 200);
    assert.equal((await disconnected)[0], 'io server disconnect'); // the connection ends with the session
    await loggedIn(url, 'Twin');

    // a copy of the first cookie is no way back to the name
    const error = await refusal(newClient(t, `${url}/chat`, { extraHeaders: first }));
    assert.deepEqual(error.data, { code: 'NAME_TAKEN' });
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

  await t.test('comes back online although somebody it was talking to has gone for good', async t => {
    const headers = await loggedIn(url, 'Guest');
    const guest = await connect(t, `${url}/chat`, { extraHeaders: headers });
    await person(ada, 'Guest').click();
    await ada.getByRole('heading', { name: 'Guest' }).waitFor();
    const disconnected = next(guest, 'disconnect');
    await fetch(`${url}/session`, { method: 'DELETE', headers });
    await disconnected;

    await ada.context().setOffline(true);
    await ada.getByRole('status').getByText('Offline, trying again …').waitFor();
    await ada.context().setOffline(false);
    await online(ada).waitFor();
    await alert(ada, 'There is no such person here').waitFor();
    await room(ada, 'lobby').click();
    await message(ada, 'Bob is here as well.').waitFor();
  });

  await t.test('does not end what there is, whatever somebody joins', async t => {
    const eve = await connect(t, `${url}/chat`, { extraHeaders: await loggedIn(url, 'Eve') });
    assert.deepEqual(await ask(eve, 'join', { user: 'nobody' }), {
      error: { code: 'NO_SUCH_USER', message: 'There is no such person here' },
    });
    const names = Array.from({ length: 40 }, (_, index) => `eve-${index}`);
    const answers = await Promise.all(names.map(async room => ask(eve, 'join', { room })));
    assert.deepEqual(answers.at(-1), { error: { code: 'TOO_MANY_ROOMS', message: 'There are too many rooms already' } });
    const opened = names.filter((_, index) => Array.isArray(answers[index]));
    const { rooms } = (await ask(eve, 'enter')) as { rooms: string[] };
    assert.deepEqual(rooms, ['lobby', '闲聊', 'egg-5', ...opened]);
    await room(ada, opened.at(-1) ?? '').waitFor();
    assert.match(JSON.stringify(await ask(eve, 'join', { room: 'lobby' })), /Bob is here as well/);

    await ming.getByRole('button', { name: 'Conversations' }).click();
    await person(ming, 'Ada').click();
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

test('the example chat keeps a name for a minute without a connection', t => {
  t.mock.timers.enable({ apis: ['Date'] });
  const memory = newMemory();
  const [first, second] = ['1', '2'].map(id => ({ id, name: 'Twin' })) as [User, User]; // two ids, two users
  const minute = 60_000;

  memory.claim(first);
  t.mock.timers.tick(minute);
  assert.throws(() => memory.claim(second), { code: 'NAME_TAKEN' });
  memory.arrive(first, 'socket');
  t.mock.timers.tick(60 * minute);
  assert.throws(() => memory.claim(second), { code: 'NAME_TAKEN' });
  memory.leave(first, 'socket');
  t.mock.timers.tick(minute);
  assert.throws(() => memory.claim(second), { code: 'NAME_TAKEN' });
  t.mock.timers.tick(1);
  memory.claim(second);
  assert.throws(() => memory.arrive(first, 'socket'), { code: 'NAME_TAKEN' });
});

test('the example chat forgets the private conversation that has been quiet for longest, and none for being looked up', () => {
  const memory = newMemory();
  const ada = { id: 'ada', name: 'Ada' };
  const saidTo = (user: string): number => memory.history(ada, { user }).length;

  memory.keep(ada, { user: 'early' }, 'Hello');
  memory.keep(ada, { user: 'quiet' }, 'Hello');
  for (let index = 0; index < 500; index++) memory.history(ada, { user: `looked up ${index}` });
  for (let index = 0; index < 198; index++) memory.keep(ada, { user: `other ${index}` }, 'Hello'); // 200 are kept
  assert.deepEqual([saidTo('early'), saidTo('quiet')], [1, 1]);
  memory.keep(ada, { user: 'early' }, 'Are you there?');
  memory.keep(ada, { user: 'one more' }, 'Hello');
  assert.deepEqual([saidTo('early'), saidTo('quiet')], [2, 0]);
});

/** By itself, where neither page nor server matters. */
function newMemory(): ChatMemory {
  const { ChatMemory } = require(join(ROOT, 'example/chat/dist/app/memory')) as { ChatMemory: new () => ChatMemory };
  return new ChatMemory();
}

async function logIn(page: Page, name: string): Promise<void> {
  await page.getByLabel('Your name').fill(name);
  await page.getByRole('button', { name: 'Come in' }).click();
  await online(page).waitFor();
}

async function say(page: Page, text: string): Promise<void> {
  await composer(page).fill(text);
  await composer(page).press('Enter');
  await message(page, text).waitFor();
}

function online(page: Page): Locator {
  return page.getByRole('status').getByText('Online', { exact: true });
}

function composer(page: Page): Locator {
  return page.getByRole('textbox', { name: 'Message' });
}

function message(page: Page, text: string): Locator {
  return page.locator('#messages').getByText(text);
}

function alert(page: Page, text: string | RegExp): Locator {
  return page.getByRole('alert').getByText(text);
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
  const headers = sessionHeaders(await fetch(`${url}/session`));
  return fetch(`${url}/session`, { method: 'POST', headers, body: new URLSearchParams({ name }) });
}

function sessionHeaders(response: Response): Headers {
  const cookie = response.headers
    .getSetCookie()
    .map(line => line.split(';')[0])
    .join('; ');
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

async function takeScreenshot(t: TestContext, url: string, extraHeaders: Headers, ada: Page, ming: Page): Promise<void> {
  const bob = await connect(t, `${url}/chat`, { extraHeaders });
  await ask(bob, 'enter');
  await ask(bob, 'join', { room: 'egg-5' });
  await ask(bob, 'say', { room: 'egg-5' }, 'And what a controller returns is the acknowledgement now.');
  await message(ming, 'what a controller returns').waitFor();
  await say(ming, '返回值就是 ack，抛出的错误也在同一个 ack 里。漂亮！');
  await say(ada, 'No more callbacks to carry around. 再也不用传回调了。');
  await ming.getByRole('button', { name: 'Conversations' }).click();
  await person(ming, 'Ada').click();
  await say(ming, '晚上见！');
  await ming.getByRole('button', { name: 'Conversations' }).click();
  await room(ming, 'egg-5').click();
  await person(ada, '小明').locator('.unread').waitFor();
  await ada.locator('#title').click(); // the focus is nowhere
  await composer(ming).pressSequentially('好');
  await ada.getByText('小明 is typing …').waitFor();
  await mkdir(dirname(SCREENSHOT), { recursive: true });
  await ada.screenshot({ path: SCREENSHOT });
}
