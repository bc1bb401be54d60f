import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect as connectTcp, type Socket as TcpSocket } from 'node:net';
import { test, type TestContext } from 'node:test';
import { type Files, type RunningApp, startApp } from './support/app';
import { askInPage, openBrowser, servePage } from './support/browser';
import { type ClientVersion, newClient } from './support/client';
import { startCluster } from './support/cluster';
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

test('while developing, a page of another port that polls without CORS headers is named once in the log, with both remedies', async t => {
  const poll = async ({ url }: RunningApp, origin: string, transport = 'polling'): Promise<void> => {
    await (await fetch(`${url}/socket.io/?EIO=4&transport=${transport}`, { headers: { origin } })).text();
  };
  const warnings = ({ logs }: RunningApp): string[] => logs.filter(line => line.includes('IO_CORS_MISSING'));
  const app = await startApp(t, {}, { env: 'local' });
  for (const origin of [app.url, 'http://127.0.0.1:5173', 'http://127.0.0.1:5173', 'http://127.0.0.1']) await poll(app, origin);
  await poll(app, 'http://127.0.0.1:8080', 'websocket');
  const [line = '', ...others] = warnings(app);
  assert.match(line, /^WARN .*a page of origin "http:\/\/127\.0\.0\.1:5173" polls host "127\.0\.0\.1:\d+" \(header Host\)/);
  assert.match(line, /let its dev server forward \/socket\.io to the app, or list the origin in config\.io\.init\.cors\.origin/);
  assert.equal(others.length, 1, 'another origin has its own line');

  const listed = {
    'config/config.default.js': `exports.io = { init: { cors: { origin: ['http://127.0.0.1:5173'], credentials: true } } };`,
  };
  const quiet = [await startApp(t, listed, { env: 'local' }), await startApp(t, {}, { env: 'prod' })];
  for (const app of quiet) {
    await poll(app, 'http://127.0.0.1:5173');
    assert.deepEqual(warnings(app), []);
  }
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

test('only http and https count as the same host; what is listed may have any scheme', async t => {
  const strict = await start(t);
  for (const scheme of ['capacitor', 'chrome-extension', 'ws', 'ftp'])
    assert.equal(await allows(t, strict, { origin: `${scheme}://127.0.0.1` }), false, scheme);
  const listed = await start(
    t,
    `exports.io = { init: { cors: { origin: ['capacitor://localhost', 'ionic://localhost'] } } };
     exports.security = { domainWhiteList: ['a.example'] };`,
  );
  for (const origin of ['capacitor://localhost', 'ionic://localhost', 'app://a.example'])
    assert.equal(await allows(t, listed, { origin }), true, origin);
  assert.equal(await allows(t, listed, { origin: 'capacitor://elsewhere' }), false);
});

test('a line of log of a refusal is one line, whatever an origin holds', async t => {
  const app = await start(t);
  const breakers = ['\x85', '\x9b31m', '\x90'].join('x');
  await textOf(await rawRequest(app, HANDSHAKE, [`Origin: http://evil.example/${breakers}`]));
  const line = await app.logged(REFUSED);
  assert.match(line, /http:\/\/evil\.example\/ x 31mx /);
  assert.doesNotMatch(line, /[\p{Cc}\u2028\u2029]/u);
});

/** The remedy in the line of log of a handshake with these headers. */
async function remedyFor(t: TestContext, headers: Headers, config = ''): Promise<string> {
  const app = await start(t, config);
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  assert.match(await textOf(await rawRequest(app, HANDSHAKE, lines)), /^HTTP\/1\.1 403 /);
  const line = await app.logged(REFUSED);
  await app.close();
  return line;
}

test('a refusal names the host, the header that it comes from, and the remedy that fits', async t => {
  const list = /list it in config\.io\.init\.cors\.origin or its host in config\.security\.domainWhiteList/;
  const origin = 'https://shop.example';

  const direct = await remedyFor(t, { origin, host: 'api.example' });
  assert.match(
    direct,
    /"https:\/\/shop\.example" was refused: the request is for host "api\.example" \(header Host\); to allow the page, list it in/,
  );
  assert.match(direct, list);

  const trusted = await remedyFor(t, { origin, host: 'app:7001', 'x-forwarded-host': 'shop.example:443' });
  assert.match(trusted, /host "app:7001" \(header Host\); X-Forwarded-Host has the host of the page: .* set config\.proxy to true/);
  assert.doesNotMatch(await remedyFor(t, { origin, host: 'app:7001', 'x-forwarded-host': 'other.example' }), /config\.proxy/);

  for (const host of ['localhost:7001', '127.0.0.1:7001', '10.0.0.7', '[::1]:7001', 'backend', 'chat.svc.cluster.local']) {
    const changed = await remedyFor(t, { origin, host });
    assert.match(
      changed,
      /a proxy in front of the app serves the page, it must not change Host \(no changeOrigin\); otherwise, to allow the page/,
      host,
    );
    assert.match(changed, list);
  }

  const behind = await remedyFor(t, { origin, host: 'app:7001', 'x-forwarded-host': 'other.example' }, 'exports.proxy = true;');
  assert.match(behind, /host "other\.example" \(header X-Forwarded-Host\); to allow the page, list it/);
  const own = `exports.proxy = true; exports.hostHeaders = 'x-host';`;
  assert.match(await remedyFor(t, { origin, 'x-host': 'other.example' }, own), /host "other\.example" \(header x-host\)/);

  assert.match(await remedyFor(t, { origin: 'null' }), /to allow the page, list it in config\.io\.init\.cors\.origin \(egg-socket\.io/);
});

test('lines of log of made-up origins are limited', async t => {
  const app = await start(t);
  for (let n = 0; n < 50; n++) await fetch(`${app.url}${HANDSHAKE}`, { headers: { origin: `http://evil${n}.example` } });
  assert.equal(refusals(app).length, 20);
  await app.close();
  assert.match(refusals(app).at(-1) ?? '', /: 30 more in the last minute, the latest: a page of origin "http:\/\/evil49\.example"/);
});

test('a request for a WebSocket that is no upgrade is warned of once, with and without a session', async t => {
  const app = await start(t);
  for (const sid of ['', (await open(app)).sid]) {
    const address = `${app.url}/socket.io/?EIO=4&transport=websocket&sid=${sid}`;
    for (let n = 0; n < 2; n++) assert.equal((await fetch(address)).status, 400);
  }
  assert.equal(app.logs.filter(line => /WARN.*IO_UPGRADE_MISSING/.test(line)).length, 1);
  const polling = await start(t, `exports.io = { init: { transports: ['polling'] } };`);
  await fetch(`${polling.url}/socket.io/?EIO=4&transport=websocket`);
  assert.ok(!polling.logs.some(line => line.includes('IO_UPGRADE_MISSING')));
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

test('of the answers of an allowRequest the first counts', async t => {
  const answers = `(request, answer) => {
    const isAllowed = request.headers['x-first'] === 'yes';
    answer(null, isAllowed);
    answer(null, !isAllowed);
  }`;
  const app = await start(t, `exports.io = { init: { allowRequest: ${answers} } };`);
  for (const [first, isAllowed] of [
    ['yes', true],
    ['no', false],
  ] as const) {
    const begun: unknown[] = [];
    app.io.engine.on('connection', (connection: unknown) => begun.push(connection));
    assert.equal(await allows(t, app, { 'x-first': first }), isAllowed);
    assert.equal(begun.length > 0, isAllowed);
  }
});

test('an allowRequest that throws refuses, and is logged', async t => {
  const app = await start(t, `exports.io = { init: { cors: { origin: '*' }, allowRequest: () => { throw new Error('a bug'); } } };`);
  for (const headers of [{}, { origin: 'https://a.example' }]) assert.equal(await allows(t, app, headers as Headers), false);
  await app.logged(/ERROR.*a bug/);
});

const HANDSHAKE = '/socket.io/?EIO=4&transport=polling';

/** A session over polling: its id, and how it is answered. */
async function open({ url }: { url: string }, headers: Headers = {}, protocol = 4): Promise<{ sid: string; address: string }> {
  const address = `${url}/socket.io/?EIO=${protocol}&transport=polling`;
  const response = await fetch(address, { headers });
  const { sid } = JSON.parse(/\{[^}]*\}/.exec(await response.text())?.[0] ?? '') as { sid: string };
  return { sid, address: `${address}&sid=${sid}` };
}

/** A request by hand, with headers that no client library lets through; or an upgrade. */
async function rawRequest({ port }: { port: number }, path: string, headers: string[] = [], method = 'GET'): Promise<TcpSocket> {
  const socket = connectTcp(port, '127.0.0.1');
  await once(socket, 'connect');
  const host = headers.some(line => /^host:/i.test(line)) ? [] : ['Host: 127.0.0.1'];
  const lines = [`${method} ${path} HTTP/1.1`, ...host, ...headers];
  socket.write(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
  return socket;
}

const UPGRADE = ['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=='];

/** What a server answers to an upgrade, until it closes or speaks WebSocket. */
async function upgradeAnswer(server: { port: number }, path: string, headers: string[] = []): Promise<string> {
  const socket = await rawRequest(server, path.replace('transport=polling', 'transport=websocket'), [...UPGRADE, ...headers]);
  const [head] = (await once(socket, 'data')) as [Buffer];
  socket.destroy();
  return head.toString();
}

async function textOf(socket: TcpSocket): Promise<string> {
  const [text] = (await once(socket, 'data')) as [Buffer];
  socket.destroy();
  return text.toString();
}

const JSONP_ANSWER = { code: 4, message: 'JSONP not allowed' };

for (const protocol of [3, 4]) {
  test(`JSONP is refused, with and without a session, for protocol ${protocol}, and others go on`, async t => {
    const app = await start(t);
    const query = `/socket.io/?EIO=${protocol}&transport=polling`;
    for (const j of ['j=0', 'j=', '%6a=0', 'j=0&j=1']) {
      const response = await fetch(`${app.url}${query}&${j}`);
      assert.deepEqual([response.status, await response.json()], [403, JSONP_ANSWER], j);
    }
    const { address } = await open(app, {}, protocol);
    for (const method of ['GET', 'POST']) {
      const response = await fetch(`${address}&j=0`, { method });
      assert.deepEqual([response.status, await response.json()], [403, JSONP_ANSWER], method);
    }
    const upgrade = await upgradeAnswer(app, `${address.slice(app.url.length)}&j=0`);
    assert.match(upgrade, /^HTTP\/1\.1 400 Bad Request\r\n[\s\S]*Content-Length: 17\r\n\r\nJSONP not allowed$/);
    assert.equal(app.logs.filter(line => /WARN.*IO_JSONP_REFUSED/.test(line)).length, 1);
    const body = protocol === 4 ? '40' : '1:2'; // the session is as it was
    assert.equal((await fetch(address, { method: 'POST', body, headers: { 'content-type': 'text/plain' } })).status, 200);
  });
}

test('a request of a session whose handshake had an origin has to name the same one', async t => {
  const origin = 'https://a.example';
  const app = await start(t, `exports.io = { init: { cors: { origin: ['${origin}', 'https://b.example'], credentials: true } } };`);
  for (const protocol of [3, 4]) {
    for (const first of [origin, app.url]) {
      const { address } = await open(app, { origin: first }, protocol);
      const path = address.slice(app.url.length);
      for (const other of ['https://evil.example', 'https://b.example', 'null', undefined]) {
        const headers: Headers = other === undefined ? {} : { origin: other };
        for (const method of ['GET', 'POST']) {
          const response = await fetch(address, { method, headers });
          assert.deepEqual([response.status, await response.json()], [403, { code: 4, message: 'Origin not allowed' }], other);
        }
        const lines = other === undefined ? [] : [`Origin: ${other}`];
        assert.match(await upgradeAnswer(app, path, lines), /^HTTP\/1\.1 400 Bad Request\r\n[\s\S]*\r\n\r\nOrigin not allowed$/);
      }
      assert.match(await upgradeAnswer(app, path, [`Origin: ${first}`]), /^HTTP\/1\.1 101 /);
    }
  }
  const [line = ''] = refusals(app);
  assert.match(line, /^WARN .*has the origin "https:\/\/evil\.example", but the handshake of its session had "https:\/\/a\.example"/);
  assert.match(line, /must not change Origin/);
  assert.equal(refusals(app).length, 8, 'each pair once');
});

test('where the handshake had no origin, one that does not fit is logged once, with its remedy, and let in', async t => {
  const app = await start(t, `exports.io = { init: { cors: { origin: 'https://listed.example' } } };`);
  const { address, sid } = await open(app);
  const post = async (origin: string): Promise<number> =>
    (await fetch(address, { method: 'POST', body: '3', headers: { origin, 'content-type': 'text/plain' } })).status; // a pong
  for (const origin of [app.url, 'http://127.0.0.1:5173', 'https://listed.example']) assert.equal(await post(origin), 200);
  assert.ok(!app.logs.some(line => line.includes('IO_ORIGIN_')));
  for (let n = 0; n < 3; n++) assert.equal(await post('https://shop.example'), 200);
  assert.match(await upgradeAnswer(app, `${HANDSHAKE}&sid=${sid}`, ['Origin: https://shop.example']), /^HTTP\/1\.1 101 /);
  const lines = app.logs.filter(line => line.includes('IO_ORIGIN_'));
  assert.equal(lines.length, 1);
  assert.match(lines[0] ?? '', /^WARN .*IO_ORIGIN_MISMATCH.*"https:\/\/shop\.example".*host "127\.0\.0\.1:\d+" \(header Host\)/);
  assert.match(lines[0] ?? '', /no changeOrigin/);
});

test('with several workers each request of a session is checked, whichever worker it comes to', async t => {
  const cluster = await startCluster(
    t,
    { 'config/config.default.js': `exports.io = { init: { cors: { origin: 'https://a.example' } } };` },
    { workers: 3 },
  );
  const port = Number(new URL(cluster.url).port);
  const { address } = await open(cluster, { origin: 'https://a.example' });
  const path = address.slice(cluster.url.length);
  for (let n = 0; n < 6; n++) {
    const headers = { origin: 'https://evil.example', connection: 'close' }; // each over a connection of its own: the next worker gets it
    assert.equal((await fetch(address, { method: 'POST', headers })).status, 403);
    assert.equal((await fetch(`${address}&j=0`, { headers: { ...headers, origin: 'https://a.example' } })).status, 403);
    assert.match(await upgradeAnswer({ port }, path, ['Origin: https://evil.example']), /^HTTP\/1\.1 400 [\s\S]*Origin not allowed$/);
  }
  assert.match(await upgradeAnswer({ port }, path, ['Origin: https://a.example']), /^HTTP\/1\.1 101 /);
  const lines = (await cluster.log()).split('\n').filter(line => REFUSED.test(line));
  assert.equal(lines.length, 1, 'by the owner');
});

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
  const page = await openBrowser(t);

  /** What the page is told when it asks who it is; or how it was refused. */
  const whoAmI = async (transports: string[], server: string): Promise<unknown> =>
    page.evaluate(askInPage, { transports, server, withCredentials: true });

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

const BOOT_WARNING = /WARN.*IO_CORS_CREDENTIALS/;

test('a cors option that lets old clients in, or names nobody, is not warned of, nor one where there are no such clients', async t => {
  const quiet = [
    `{ cors: { origin: ['https://a.example'], credentials: true } }`,
    `{ cors: { origin: [], credentials: false } }`,
    `{ cors: { origin: false } }`,
    `{ cors: { credentials: true } }`,
    `{ cors: (request, answer) => answer(null, { origin: '*' }) }`,
    `{ cors: { origin: '*' }, allowEIO3: false }`,
    `{ cors: { origin: '*' }, transports: ['websocket'] }`,
  ];
  for (const init of quiet) {
    const app = await start(t, `exports.io = { init: ${init} };`);
    assert.ok(!app.logs.some(line => BOOT_WARNING.test(line)), init);
    await app.close();
  }
  const remedies = {
    [`{ origin: '*' }`]: 'origin to a list of your sites (with true, any site could act for its visitors) and credentials: true',
    [`{ origin: '*', credentials: true }`]: 'origin to a list of your sites (with true, any site could act for its visitors)',
    [`{ origin: /x/ }`]: 'credentials: true',
    [`{ origin: (origin, answer) => answer(null, true) }`]: 'credentials: true',
  };
  for (const [cors, remedy] of Object.entries(remedies)) {
    const app = await start(t, `exports.io = { init: { cors: ${cors} } };`);
    assert.ok((await app.logged(BOOT_WARNING)).includes(`by default: set ${remedy} there; if`), cors);
    await app.close();
  }
});
