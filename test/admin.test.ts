/** The admin page over HTTP: who may use it, what it shows, what it does. `config.io.admin` */
import assert from 'node:assert/strict';
import { createConnection } from 'node:net';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { act, admin, type State, stateOf } from './support/admin';
import { bootError, type Files, startApp } from './support/app';
import { ask, connect, newClient, next, refusal } from './support/client';

const FILES: Files = {
  'app/io/middleware/user.js': `
    module.exports = () => async (ctx, next) => {
      ctx.socket.user = ctx.socket.handshake.auth.user;
      ctx.socket.join('lobby');
      await next();
    };`,
  'app/io/controller/home.js': `
    exports.say = async ctx => { ctx.socket.emit('said', 'secret'); ctx.app.io.of('/chat').to('lobby').emit('all', 'secret'); return 'ok'; };
    exports.join = async ctx => { for (let i = 0; i < ctx.args[0]; i++) ctx.socket.join(\`room \${i}\`); return 'ok'; };
    exports.fail = async () => { throw new Error('no'); };`,
  'app/router.js': `
    module.exports = app => {
      const { home } = app.io.controller;
      for (const event of ['say', 'join', 'fail']) app.io.of('/chat').route(event, home[event]);
      app.get('/login', async ctx => { ctx.session.user = { name: ctx.query.name }; ctx.body = ''; });
    };`,
};

const withConfig = (admin: string, more = ''): Files => ({
  ...FILES,
  'config/config.default.js': `exports.io = { admin: ${admin}, namespace: { '/chat': { connectionMiddleware: ['user'] } }, ${more} };`,
});

const ON = withConfig('true');

test('the admin page shows namespaces, rooms, users and sockets, and finds sockets', async t => {
  const { url } = await startApp(t, ON);
  const ada = await connect(t, `${url}/chat`, { auth: { user: 'ada' } });
  await connect(t, `${url}/chat`, { auth: { user: 'ada' }, transports: ['polling'] });
  await connect(t, `${url}/chat`, { auth: { user: 'ming' } });
  await connect(t, url);

  const page = await admin(url);
  assert.equal(page.status, 200);
  assert.match(page.headers['content-type'] ?? '', /html/);
  const state = await stateOf(url, { namespace: '/chat' });
  assert.deepEqual(state.namespaces.entries, [
    ['/chat', 3],
    ['/', 1],
  ]);
  assert.deepEqual([state.sockets.count, state.sockets.entries.length], [3, 3]);
  assert.deepEqual(state.sockets.entries.map(({ transport }) => transport).toSorted(), ['polling', 'websocket', 'websocket']);
  assert.deepEqual(state.rooms, { entries: [['lobby', 3]], count: 1 });
  assert.deepEqual(state.users.entries, [
    ['ada', 2],
    ['ming', 1],
  ]);
  assert.equal(state.processes[0]?.connections, 4);

  const found = async (query: object): Promise<number> => (await stateOf(url, { namespace: '/chat', ...query })).sockets.count;
  assert.deepEqual(
    await Promise.all([{ user: 'ada' }, { room: 'lobby' }, { search: 'MING' }, { search: ada.id }, { room: 'none' }].map(found)),
    [2, 3, 1, 1, 0],
  );
});

test('a watched socket shows names, sizes and results of its events as they come, and never what they carry', async t => {
  const { url } = await startApp(t, ON);
  const client = await connect(t, `${url}/chat`);
  const query = { namespace: '/chat', socket: String(client.id) };
  assert.deepEqual((await stateOf(url, query)).shown?.rooms, ['lobby']);
  await ask(client, 'say', 'secret', Buffer.alloc(100));
  await ask(client, 'fail');
  const { body } = await admin(url, `/state?${new URLSearchParams(query).toString()}`);
  assert.doesNotMatch(body, /secret/);
  const { shown } = JSON.parse(body) as State;
  assert.deepEqual(
    shown?.events.map(({ event, isOutgoing, size, outcome }) => [event, isOutgoing, size, outcome]),
    [
      ['said', true, 10, undefined],
      ['all', true, 10, undefined],
      ['say', false, '["secret",null]'.length + 100, 'OK'],
      ['fail', false, 2, 'INTERNAL_SERVER_ERROR'],
    ],
  );
  const [last] = shown?.events.slice(-1) ?? [];
  assert.deepEqual((await stateOf(url, { ...query, after: last?.number ?? 0 })).shown?.events, []);
  const [{ counts } = { counts: undefined }] = (await stateOf(url, query)).processes;
  assert.deepEqual([counts?.events, counts?.errors], [2, 1]);
});

test('at most 1,000 sockets and rooms are listed, the newest and the largest, and the counts are exact', { timeout: 60_000 }, async t => {
  const { url } = await startApp(t, withConfig('true', 'limits: { handshakes: false }'));
  const first = await connect(t, `${url}/chat`);
  const all = await Promise.all(Array.from({ length: 1004 }, async () => connect(t, `${url}/chat`)));
  assert.equal(await ask(first, 'join', 1004), 'ok');
  const { sockets, rooms } = await stateOf(url, { namespace: '/chat' });
  assert.deepEqual([sockets.entries.length, sockets.count], [1000, 1 + all.length]);
  assert.ok(!sockets.entries.some(({ id }) => id === first.id));
  assert.deepEqual([rooms.entries.length, rooms.count, rooms.entries[0]], [1000, 1005, ['lobby', 1005]]);
});

test('an event without a route is answered as ever while its socket is watched', async t => {
  const { url } = await startApp(t, withConfig('true', "unmatched: 'error'"));
  const client = await connect(t, `${url}/chat`);
  await stateOf(url, { namespace: '/chat', socket: String(client.id) });
  assert.equal(((await ask(client, 'nothing')) as { error?: { code?: string } }).error?.code, 'NOT_FOUND');
});

test('the page emits to a socket, a user, a room and everybody, and disconnects; the log says who did, without what was sent', async t => {
  const { url, logs } = await startApp(t, ON);
  const ada = await connect(t, `${url}/chat`, { auth: { user: 'ada' } });
  for (const target of [{ socket: ada.id }, { user: 'ada' }, { room: 'lobby' }, {}]) {
    const heard = next(ada, 'hi');
    const { done } = await act(url, { kind: 'emit', namespace: '/chat', ...target, event: 'hi', args: ['secret', 1] });
    assert.match(String(done), /^emitted 'hi' to /);
    assert.deepEqual(await heard, ['secret', 1]);
  }
  const { id } = ada;
  const gone = next(ada, 'disconnect');
  await act(url, { kind: 'disconnect', namespace: '/chat', socket: id });
  assert.equal((await gone)[0], 'io server disconnect');
  const own = logs.filter(line => line.includes('admin page: '));
  assert.equal(own.length, 5);
  assert.match(own.at(-1) ?? '', /127\.0\.0\.1 has disconnected socket /);
  assert.doesNotMatch(own.join(), /secret/);

  const problems = [
    { kind: 'disconnect', namespace: '/chat', socket: id },
    { kind: 'disconnect', namespace: '/chat', user: 'ada' },
    { kind: 'emit', namespace: '/chat', event: 'disconnect' },
    { kind: 'emit', namespace: '/chat', event: '' },
    { kind: 'emit', namespace: '/none', event: 'hi' },
    { kind: 'emit', namespace: '/chat', event: 'hi', room: 7 }, // which must not become everybody
    { kind: 'emit', namespace: '/chat', event: 'hi', user: '' },
    { kind: 'end', namespace: '/chat' },
  ].map(async action => (await act(url, action)).problem);
  assert.deepEqual(await Promise.all(problems), [
    `Socket ${id} has gone`,
    'No socket to disconnect',
    '"disconnect" is a reserved event name',
    'An event has a name',
    'There is no namespace /none any more',
    'This is no room',
    'This is no user',
    'Unknown action',
  ]);
});

test('a page of another site gets nothing of the admin page, by a request, a foreign host name or a WebSocket', async t => {
  const { url, port, logs } = await startApp(t, ON);
  const client = await connect(t, `${url}/chat`);
  const state = async (headers: Record<string, string>): Promise<number | undefined> => (await admin(url, '/state', headers)).status;
  assert.equal(await state({}), 200);
  assert.equal(await state({ origin: url, 'sec-fetch-site': 'same-origin' }), 200);
  assert.equal(await state({ host: `localhost:${port}`, origin: `http://localhost:${port}` }), 200);
  for (const headers of [
    { origin: 'http://evil.example' },
    { origin: 'null' },
    { origin: 'http://127.0.0.1:1' }, // another app of this machine
    { origin: `http://localhost:${port}` }, // asked for 127.0.0.1
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'same-site', 'sec-fetch-mode': 'cors' },
    { host: 'evil.example' }, // DNS rebinding
    { host: `evil.example:${port}`, origin: `http://evil.example:${port}`, 'sec-fetch-site': 'same-origin' },
    { host: '127.0.0.1.evil.example' },
    { 'x-forwarded-for': '203.0.113.7' }, // a proxy or a tunnel on this machine
    { 'x-forwarded-proto': 'https' },
    { via: '1.1 tunnel' },
  ])
    assert.equal(await state(headers as unknown as Record<string, string>), 403, JSON.stringify(headers));

  const action = { kind: 'disconnect', namespace: '/chat', socket: client.id };
  const statuses = [{}, { origin: 'http://evil.example' }, { origin: url }].map(
    async headers => (await admin(url, '/act', headers as Record<string, string>, action)).status,
  );
  assert.deepEqual(await Promise.all(statuses), [403, 403, 403]); // the last one lacks the token of the page
  assert.equal(client.connected, true);
  assert.equal((await refusal(newClient(t, `${url}/-/io`))).message, 'Invalid namespace');
  const { headers } = await admin(url);
  assert.equal(headers['cross-origin-opener-policy'], 'same-origin');
  assert.match(String(headers['content-security-policy']), /^default-src 'none'; script-src 'sha256-[^']+'; style-src 'sha256-[^']+'; /);
  assert.match(String(headers['content-security-policy']), /; frame-ancestors 'none'$/);
  const refused =
    'a request for /-/io was refused: it comes from a page of another origin, http://evil.example, and its Host is 127.0.0.1:';
  assert.ok(logs.some(line => line.includes(refused)));
});

test('a proxy on this machine that adds no header, as nginx before 1.29.7, is known by HTTP/1.0', async t => {
  const { port, logs } = await startApp(t, ON);
  const ask = async (version: string): Promise<string> => {
    const socket = createConnection({ port, host: '127.0.0.1' });
    socket.write(`GET /-/io HTTP/${version}\r\nHost: 127.0.0.1:${port}\r\nConnection: close\r\n\r\n`);
    return (await text(socket)).split('\r\n', 1).join('');
  };
  assert.deepEqual([await ask('1.1'), await ask('1.0')], ['HTTP/1.1 200 OK', 'HTTP/1.1 403 Forbidden']);
  assert.ok(logs.some(line => line.includes('it comes through a proxy, since it is one of HTTP/1.0')));
});

test('config.io.admin.allow decides in every environment; without it, there is no page in production', async t => {
  const allow = withConfig(
    "{ allow: async ctx => { if (ctx.query.bad) throw new Error('down'); return ctx.session.user?.name === 'root'; } }",
  );
  const { url } = await startApp(t, allow, { env: 'prod' });
  const login = async (name: string): Promise<Record<string, string>> => {
    const response = await fetch(`${url}/login?name=${name}`);
    return {
      cookie: response.headers
        .getSetCookie()
        .map(one => one.split(';')[0])
        .join('; '),
    };
  };
  assert.equal((await admin(url)).status, 403);
  const [root, guest] = [await login('root'), await login('guest')];
  assert.equal((await admin(url, '', guest)).status, 403);
  assert.equal((await admin(url, '/state?bad=1', root)).status, 403);
  assert.equal((await admin(url, '/state', { ...root, host: 'chat.example', origin: 'http://evil.example' })).status, 403);
  assert.equal((await admin(url, '/state', { ...root, host: 'chat.example', 'x-forwarded-for': '203.0.113.7' })).status, 200);
  const client = await connect(t, `${url}/chat`);
  const gone = next(client, 'disconnect');
  assert.match(String((await act(url, { kind: 'disconnect', namespace: '/chat', socket: client.id }, root)).done), /^disconnected/);
  await gone;
});

test('without the option there is no page', async t => {
  const { url } = await startApp(t, FILES);
  assert.equal((await admin(url)).status, 404);
});

test('with `true` there is no page in production, which is logged', async t => {
  const { url, logs } = await startApp(t, ON, { env: 'prod' });
  assert.equal((await admin(url)).status, 404);
  assert.ok(logs.some(line => line.includes('config.io.admin: true has no effect in the environment prod')));
});

test('allowedHosts applies to the admin page', async t => {
  const { url } = await startApp(t, withConfig('{ allow: () => true }', "allowedHosts: ['chat.example']"));
  const statuses = ['chat.example', 'evil.example'].map(async host => (await admin(url, '/state', { host })).status);
  assert.deepEqual(await Promise.all(statuses), [200, 403]);
});

test('an adapter of the app’s own that has no way to other servers is not asked for it, and one that fails is a line on the page', async t => {
  const warn = t.mock.method(console, 'warn', () => {});
  const problemOf = async (adapter: string): Promise<string | undefined> => {
    const name = JSON.stringify(require.resolve('socket.io-adapter'));
    const { app, url } = await startApp(t, withConfig('true', `adapter: nsp => ${adapter.replace('$', `require(${name})`)}`));
    const { problem } = await stateOf(url);
    await app.close();
    return problem;
  };
  assert.equal(await problemOf('new ($.Adapter)(nsp)'), undefined);
  assert.equal(warn.mock.callCount(), 0);
  const failing = `Object.assign(new ($.Adapter)(nsp), { async serverSideEmit() { throw new Error('down'); } })`;
  assert.equal(await problemOf(failing), 'down');
});

test('a wrong value stops the boot', async t => {
  assert.match((await bootError(t, withConfig("'yes'"))).message, /config\.io\.admin must be true, false or an object, not a string/);
  assert.match((await bootError(t, withConfig('{}'))).message, /config\.io\.admin\.allow must be a function/);
});
