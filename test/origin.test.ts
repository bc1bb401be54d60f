import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { chromium } from 'playwright-core';
import { type Files, ROOT, type RunningApp, startApp } from './support/app';
import { type ClientVersion, newClient } from './support/client';
import { watchForCrashes } from './support/remains';

const REFUSED = /IO_ORIGIN_REFUSED/;

const TRANSPORTS = { polling: ['polling'], websocket: ['websocket'], both: ['polling', 'websocket'] };

async function start(t: TestContext, config = '', files: Files = {}): Promise<RunningApp> {
  watchForCrashes(t);
  return startApp(t, { ...files, 'config/config.default.js': config });
}

type Headers = Record<string, string>;

/** Whether clients with these headers get in. They have to agree over all transports. */
async function allows(t: TestContext, { url }: RunningApp, headers: Headers, version: ClientVersion = 4): Promise<boolean> {
  const answers = await Promise.all(
    Object.values(TRANSPORTS).map(async transports => {
      const options = {
        transports,
        extraHeaders: headers,
        transportOptions: { polling: { extraHeaders: headers }, websocket: { extraHeaders: headers } },
      };
      const client = newClient(t, url, options, version);
      const isIn = await new Promise<boolean>(resolve => {
        client.once('connect', () => resolve(true));
        client.once('connect_error', () => resolve(false));
      });
      client.disconnect();
      return isIn;
    }),
  );
  assert.equal(new Set(answers).size, 1, `transports differ: ${answers.join()}`);
  return answers[0] ?? false;
}

const refusals = ({ logs }: RunningApp): string[] => logs.filter(line => REFUSED.test(line));

test('a client that sends no origin is no web page and may connect', async t => {
  const app = await start(t);
  for (const version of [2, 3, 4] as const) assert.equal(await allows(t, app, {}, version), true);
});

test('pages of the same host may connect, of whatever port and scheme', async t => {
  const app = await start(t);
  for (const origin of [app.url, 'http://127.0.0.1:1', 'http://127.0.0.1', 'https://127.0.0.1:8443'])
    assert.equal(await allows(t, app, { origin }), true, origin);
  assert.deepEqual(refusals(app), []);
});

test('pages of another host may not, with one line of log that says how to allow it', async t => {
  const app = await start(t);
  // not client 2: its WebSockets are those of Node from version 22 on, which take no headers
  for (const version of [3, 4] as const) assert.equal(await allows(t, app, { origin: 'http://evil.example' }, version), false);
  const [line = ''] = refusals(app);
  assert.equal(refusals(app).length, 1, 'for six handshakes');
  assert.match(line, /^WARN /);
  for (const word of ['http://evil.example', `127.0.0.1:${app.port}`, 'config.io.init.cors.origin', 'config.security.domainWhiteList'])
    assert.ok(line.includes(word), word);
  assert.equal(await allows(t, app, { origin: 'http://127.0.0.1.evil.example' }), false);
  assert.equal(refusals(app).length, 2, 'another origin has its own line');
});

test('null, file:// and what is no origin may not connect, unless listed', async t => {
  const [strict, open, listed] = [
    await start(t),
    await start(t, `exports.io = { init: { cors: { origin: '*' } } };`),
    await start(t, `exports.io = { init: { cors: { origin: ['null', 'file://'] } } };`),
  ];
  for (const origin of ['null', 'file://']) {
    assert.equal(await allows(t, strict, { origin }), false, origin);
    assert.equal(await allows(t, open, { origin }), false, `${origin} with *`);
    assert.equal(await allows(t, listed, { origin }), true, `${origin} listed`);
  }
  for (const origin of ['', 'evil', '//127.0.0.1', 'http://', '127.0.0.1'])
    assert.equal(await allows(t, strict, { origin }), false, origin);
});

const CORS: Record<string, { cors: string; yes: string[]; no: string[] }> = {
  'a string': {
    cors: `{ origin: 'https://a.example' }`,
    yes: ['https://a.example'],
    no: ['https://b.example', 'http://a.example', 'https://a.example:444'],
  },
  'an array': {
    cors: `{ origin: ['https://a.example', /\\.b\\.example$/] }`,
    yes: ['https://a.example', 'https://x.b.example'],
    no: ['https://b.example', 'https://c.example'],
  },
  'a regular expression': {
    cors: `{ origin: /^https:\\/\\/[ab]\\.example$/g }`,
    yes: ['https://a.example', 'https://b.example'],
    no: ['https://c.example'],
  },
  'a function': {
    cors: `{ origin: (origin, answer) => setImmediate(answer, null, origin === 'https://a.example') }`,
    yes: ['https://a.example'],
    no: ['https://b.example'],
  },
  'a function that answers with a list': {
    cors: `{ origin: (origin, answer) => answer(null, ['https://a.example']) }`,
    yes: ['https://a.example'],
    no: ['https://b.example'],
  },
  'a function for the whole option': {
    cors: `(request, answer) => answer(null, { origin: request.headers['x-tenant'] === undefined ? ['https://a.example'] : [] })`,
    yes: ['https://a.example'],
    no: ['https://b.example'],
  },
  true: { cors: `{ origin: true }`, yes: ['https://a.example'], no: [] },
  '*': { cors: `{ origin: '*' }`, yes: ['https://a.example'], no: [] },
  'no origin at all': { cors: `{ credentials: true }`, yes: [], no: ['https://a.example'] },
  false: { cors: `{ origin: false }`, yes: [], no: ['https://a.example'] },
};

for (const [what, { cors, yes, no }] of Object.entries(CORS)) {
  test(`cors.origin may be ${what}`, async t => {
    const app = await start(t, `exports.io = { init: { cors: ${cors} } };`);
    for (const origin of yes) for (let round = 0; round < 2; round++) assert.equal(await allows(t, app, { origin }), true, origin);
    for (const origin of no) assert.equal(await allows(t, app, { origin }), false, origin);
    assert.equal(await allows(t, app, { origin: app.url }), true, 'the same host, always');
    assert.equal(refusals(app).length, no.length);
  });
}

test('a function in cors that fails refuses, and is logged', async t => {
  const app = await start(t, `exports.io = { init: { cors: { origin: (origin, answer) => answer(new Error('no database')) } } };`);
  assert.equal(await allows(t, app, { origin: 'https://a.example' }), false);
  await app.logged(/ERROR.*no database/);
});

test('a function in cors that throws refuses, and is logged', async t => {
  const app = await start(t, `exports.io = { init: { cors: { origin: () => { throw new Error('a bug'); } } } };`);
  assert.equal(await allows(t, app, { origin: 'https://a.example' }), false);
  await app.logged(/ERROR.*a bug/);
  assert.equal(await allows(t, app, {}), true, 'it is asked without an origin, too, and that is no web page');
});

test('hosts of config.security.domainWhiteList may connect', async t => {
  const app = await start(t, `exports.security = { domainWhiteList: ['a.example', '.b.example', 'http://c.example:8080'] };`);
  for (const origin of ['https://a.example', 'http://a.example:3000', 'https://x.b.example'])
    assert.equal(await allows(t, app, { origin }), true, origin);
  for (const origin of ['https://c.example', 'https://a.example.evil', 'https://evila.example'])
    assert.equal(await allows(t, app, { origin }), false, origin);
});

test('without the security plugin, the host and cors are what counts', async t => {
  const app = await startApp(t, {
    'config/plugin.js': 'exports.security = false;',
    'config/config.default.js': `
      exports.io = { init: { cors: { origin: 'https://a.example' } } };
      exports.security = { domainWhiteList: ['b.example'] };`,
  });
  assert.equal(await allows(t, app, { origin: app.url }), true);
  assert.equal(await allows(t, app, { origin: 'https://a.example' }), true);
  assert.equal(await allows(t, app, { origin: 'https://b.example' }), false);
});

test('X-Forwarded-Host counts only with config.proxy', async t => {
  const headers = { origin: 'https://shop.example', 'x-forwarded-host': 'shop.example' };
  const direct = await start(t);
  assert.equal(await allows(t, direct, headers), false);
  const proxied = await start(t, 'exports.proxy = true;');
  assert.equal(await allows(t, proxied, headers), true);
  assert.equal(await allows(t, proxied, { ...headers, 'x-forwarded-host': 'shop.example:8443, inner' }), true);
  assert.equal(await allows(t, proxied, { ...headers, 'x-forwarded-host': 'other.example' }), false);
});

test('the app’s own allowRequest is still asked, after the origin', async t => {
  const app = await start(
    t,
    `exports.io = { init: { allowRequest: (request, answer) => {
      asked.push(request.headers.origin);
      answer(null, request.headers['x-token'] === 'good');
    } } };
    const asked = global.askedByTest = [];`,
  );
  assert.equal(await allows(t, app, { 'x-token': 'good' }), true);
  assert.equal(await allows(t, app, { 'x-token': 'bad' }), false);
  assert.equal(await allows(t, app, { origin: app.url, 'x-token': 'good' }), true);
  const asked = Reflect.get(globalThis, 'askedByTest') as unknown[];
  const before = asked.length;
  assert.equal(await allows(t, app, { origin: 'https://evil.example', 'x-token': 'good' }), false);
  assert.equal(asked.length, before);
});

test('an allowRequest that throws refuses, and is logged', async t => {
  const app = await start(t, `exports.io = { init: { cors: { origin: '*' }, allowRequest: () => { throw new Error('a bug'); } } };`);
  for (const headers of [{}, { origin: 'https://a.example' }]) assert.equal(await allows(t, app, headers as Headers), false);
  await app.logged(/ERROR.*a bug/);
});

/** A web server on its own port that serves the official client and an empty page. */
async function servePage(t: TestContext): Promise<number> {
  const bundle = await readFile(join(ROOT, 'node_modules/socket.io-client/dist/socket.io.min.js'));
  const server = createServer((request, response) => {
    const isBundle = request.url === '/socket.io.js';
    response.setHeader('content-type', isBundle ? 'text/javascript' : 'text/html');
    response.end(isBundle ? bundle : '<!doctype html><script src="/socket.io.js"></script>');
  }).listen(0, '127.0.0.1');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  await once(server, 'listening');
  return (server.address() as AddressInfo).port; // it listens on TCP
}

test('in a browser, a page of another port connects with cors and its cookie, and an unlisted one is refused', async t => {
  const pagePort = await servePage(t);
  const listed = `http://localhost:${pagePort}`;
  const app = await start(
    t,
    `exports.io = { init: { cors: { origin: '${listed}', credentials: true } } };
     exports.security = { csrf: false };
     exports.session = { sameSite: 'lax' };`,
    {
      'app/router.js': `
        module.exports = app => {
          app.get('/login', async ctx => {
            ctx.session.user = ctx.query.user;
            ctx.set('access-control-allow-origin', ctx.get('origin'));
            ctx.set('access-control-allow-credentials', 'true');
            ctx.body = 'ok';
          });
          app.io.route('whoAmI', async ctx => ctx.session.user || 'nobody');
        };`,
    },
  );
  const browser = await chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: [
      '--no-sandbox',
      '--headless',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
  t.after(() => browser.close());
  const page = await browser.newPage();

  /** What the page is told when it asks who it is; or how it was refused. */
  const whoAmI = async (transports: string[], server: string): Promise<unknown> => page.evaluate(askInPage, { transports, server });

  // another port of the same host, which the browser takes for another origin
  await page.goto(`${listed}/`);
  const server = `http://localhost:${app.port}`;
  await page.evaluate(`fetch('${server}/login?user=爱丽丝', { credentials: 'include' }).then(response => response.text())`);
  for (const transports of Object.values(TRANSPORTS)) assert.equal(await whoAmI(transports, server), '爱丽丝');
  assert.deepEqual(refusals(app), []);

  // the same page by another name, which nobody has listed
  await page.goto(`http://127.0.0.1:${pagePort}/`);
  for (const transports of Object.values(TRANSPORTS)) assert.match(String(await whoAmI(transports, server)), /^refused/);
  assert.equal(refusals(app).length, 1);
});

/** Runs in the page. */
function askInPage({ transports, server }: { transports: string[]; server: string }): Promise<unknown> {
  const io = Reflect.get(globalThis, 'io') as (
    url: string,
    options: object,
  ) => {
    on(event: string, listener: (value: Error) => void): void;
    emit(event: string, answer: (value: unknown) => void): void;
    disconnect(): void;
  };
  return new Promise(resolve => {
    const client = io(server, { transports, withCredentials: true, reconnection: false, forceNew: true });
    client.on('connect', () =>
      client.emit('whoAmI', answer => {
        client.disconnect();
        resolve(answer);
      }),
    );
    client.on('connect_error', error => resolve(`refused: ${error.message}`));
  });
}
