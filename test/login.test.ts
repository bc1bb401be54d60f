/** How long a login lasts: `config.io.auth`. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { type Files, type RunningApp, startApp } from './support/app';
import { ask, type Client, connect, newClient, next, refusal } from './support/client';
import { internals, nothingRemains, watchForCrashes } from './support/remains';
import { stopTime } from './support/stop-time';
import { until } from './support/until';

const FILES: Files = {
  'config/config.default.js': `
    exports.io = {
      auth: { maxAge: 300 },
      namespace: {
        '/': { connectionMiddleware: ['token'] },
        '/free': { auth: false },
        '/room-{id}': {},
        '/token': { connectionMiddleware: ['token'], auth: { expiresAt: ctx => ctx.socket.data.until() } },
        '/renewed': {
          connectionMiddleware: ['token'],
          auth: {
            expiresAt: ctx => ctx.app.times[ctx.socket.handshake.auth.until](),
            async renew(ctx, { user, until }) {
              ctx.app.emit('renewing', ctx.app.currentContext === ctx);
              await ctx.app.gate;
              if (user === 'wrong') ctx.throw(401, 'a wrong token');
              return user;
            },
          },
        },
        '/guarded': {
          connectionMiddleware: ['token'],
          auth: {
            renew: () => true,
            recheck: {
              every: 1000,
              async check(ctx) { ctx.app.emit('checking'); await ctx.app.gate; return false; },
            },
          },
        },
        '/checked': {
          connectionMiddleware: ['token'],
          auth: {
            recheck: {
              every: 200,
              async check(ctx) {
                const { name, checks } = ctx.socket.data;
                checks.push(ctx.app.currentContext === ctx);
                ctx.app.emit('checked');
                return ctx.app.answers[name](ctx);
              },
            },
          },
        },
      },
    };`,
  'app/io/middleware/token.js': `
    module.exports = app => async (ctx, next) => {
      const { name, until, user, wild } = ctx.handshake.auth ?? {};
      if (user) ctx.socket.user = user;
      if (wild) ctx.socket[wild] = () => { throw new Error('replaced by the app'); };
      Object.assign(ctx.socket.data, { name, checks: [], until: () => app.times[until]() });
      await next();
      app.emit('ascended', name);
    };`,
  'app/router.js': `
    module.exports = app => {
      app.io.of('/token').use((socket, next) => next(socket.handshake.auth.refused ? new Error('not you') : undefined));
      for (const name of ['/', '/free', '/room-{id}', '/token', '/checked', '/guarded', '/renewed']) app.io.of(name).route('hello', async () => 'hi');
      app.io.of('/renewed').route('auth', async ctx => ctx.handshake.auth);
      app.io.of('/checked').route('checks', async ctx => ctx.socket.data.checks.splice(0));
    };`,
  'app.js': `
    module.exports = app => {
      app.times = {
        soon: () => new Date(Date.now() + 300), later: () => Date.now() + 60000, never: () => undefined, past: () => Date.now() - 1,
        seconds: () => Math.floor(Date.now() / 1000) + 60, promise: async () => Date.now() + 60000, wrong: () => { throw new Error('a mistake'); },
      };
      app.answers = {
        good: async () => true, bad: () => false, thrower: async ctx => ctx.throw(401, 'not any more'),
        failing: async () => { throw new Error('the database is down'); }, hanging: () => new Promise(() => {}),
        object: async () => { throw { status: 403 }; }, trap: async () => { throw { get status() { throw new Error('a trap'); } }; },
        changing: async ctx => ctx.app.mayStay,
      };
    };`,
};

/** What a client hears from its end. */
async function endOf(client: Client): Promise<unknown[]> {
  const error = next(client, 'error');
  const end = next(client, 'disconnect');
  return [...(await error), (await end)[0]];
}

async function start(t: TestContext): Promise<RunningApp> {
  watchForCrashes(t);
  return startApp(t, FILES);
}

const EXPIRED = ['The login has expired', { code: 'AUTH_EXPIRED' }, 'io server disconnect'];
const REVOKED = ['The login has been revoked', { code: 'AUTH_REVOKED' }, 'io server disconnect'];

test('a login ends after maxAge: the client is told, does not reconnect by itself, and may log in again', async t => {
  const { app, io, url } = await start(t);
  const free = await connect(t, `${url}/free`);
  for (const version of [2, 3, 4] as const) {
    const client = await connect(t, url, { reconnection: true, reconnectionDelay: 1 }, version);
    const room = await connect(t, `${url}/room-1`, {}, version);
    const ascended = next(app, 'ascended');
    const ends = Promise.all([endOf(client), endOf(room)]);
    assert.equal(await ask(client, 'hello'), 'hi');
    assert.deepEqual(await ends, [EXPIRED, EXPIRED], `client ${version}`);
    await ascended;
    assert.equal(internals(io).runtime.deadlines.size, 0);
    const again = next(client, 'connect');
    client.connect();
    await again;
    assert.equal(await ask(client, 'hello'), 'hi');
    client.disconnect();
  }
  assert.equal(await ask(free, 'hello'), 'hi');
  free.disconnect();
  await nothingRemains(io);
  assert.equal(internals(io).runtime.deadlines.size, 0);
});

test('expiresAt says when a login ends; a client that comes later is refused', async t => {
  const { io, url, logged } = await start(t);
  const visit = (until: string, more: object = {}): Client => newClient(t, `${url}/token`, { auth: { until, ...more } });
  const never = visit('never');
  await next(never, 'connect');
  assert.equal(internals(io).runtime.deadlines.size, 0);
  const later = visit('later');
  await next(later, 'connect');
  assert.equal(internals(io).runtime.deadlines.size, 1);
  assert.deepEqual(await endOf(visit('soon')), EXPIRED);

  const past = await refusal(visit('past'));
  assert.deepEqual([past.message, past.data], ['The login has expired', { code: 'AUTH_EXPIRED' }]);
  for (const until of ['seconds', 'promise']) {
    const { message, data } = await refusal(visit(until));
    assert.match(message, /IO_AUTH_TIME_INVALID.*a time in ms/);
    assert.deepEqual(data, { code: 'INTERNAL_SERVER_ERROR' });
  }
  await logged(/^ERROR .*connection refused.*IO_AUTH_TIME_INVALID/);
  assert.equal((await refusal(visit('wrong'))).message, 'a mistake');
  assert.equal((await refusal(visit('soon', { refused: true }))).message, 'not you');

  for (const client of [never, later]) {
    assert.equal(await ask(client, 'hello'), 'hi');
    client.disconnect();
  }
  await nothingRemains(io);
  assert.equal(internals(io).runtime.deadlines.size, 0);
});

test('recheck asks again and again whether a client may stay: what fails says nothing, unless it is a 401 or 403', async t => {
  const { app, io, url, logged, logs } = await start(t);
  Object.assign(app, { mayStay: true });
  const visit = async (name: string): Promise<Client> => connect(t, `${url}/checked`, { auth: { name } });
  const [good, failing, hanging, changing, trap] = await Promise.all(['good', 'failing', 'hanging', 'changing', 'trap'].map(visit));
  assert.ok(good && failing && hanging && changing && trap);
  for (const name of ['bad', 'thrower', 'object']) assert.deepEqual(await endOf(await visit(name)), REVOKED, name);
  await logged(/^ERROR .*recheck\.check failed, and the client stays.*namespace \/checked.*/);
  await logged(/^WARN .*recheck\.check.*the check before has not ended yet/);

  let count = 0;
  await until(t, async () => (count += ((await ask(good, 'checks')) as boolean[]).filter(Boolean).length) >= 3);
  const end = endOf(changing);
  Object.assign(app, { mayStay: false });
  assert.deepEqual(await end, REVOKED);
  assert.ok(!logs.some(line => line.includes('not any more')));
  for (const client of [good, failing, hanging, trap]) {
    assert.equal(await ask(client, 'hello'), 'hi');
    client.disconnect();
  }
  await nothingRemains(io);
  assert.equal(internals(io).runtime.deadlines.size, 0);
});

test('a client whose socket the app has changed so that it throws ends all the same, and so do the others', async t => {
  const { io, url, logs } = await start(t);
  const wild = await Promise.all(['emit', 'disconnect'].map(async name => connect(t, url, { auth: { wild: name } })));
  const other = await connect(t, url);
  const ends = wild.map(async client => next(client, 'disconnect'));
  assert.deepEqual(await endOf(other), EXPIRED);
  await Promise.all(ends);
  assert.equal(logs.filter(line => /^ERROR .*login has ended.*replaced by the app/.test(line)).length, 2);
  await nothingRemains(io);
  assert.equal(internals(io).runtime.deadlines.size, 0);
});

const renewal = async (client: Client, auth: unknown): Promise<unknown> => ask(client, '$io:auth', auth);

test('a client renews its login by $io:auth, as the same user', async t => {
  const { app, io, url } = await start(t);
  const hello = { v: 1 };
  const visit = async (user: string | undefined, until = 'soon'): Promise<Client> =>
    connect(t, `${url}/renewed`, { auth: { user, until, $io: hello } });
  const [client, nobody] = [await visit('anna', 'later'), await visit(undefined, 'later')];
  const renewing = next(app, 'renewing');
  const { expiresIn } = (await renewal(client, { user: 'anna', until: 'later', more: 1 })) as { expiresIn: number };
  assert.deepEqual(await renewing, [true]);
  assert.ok(expiresIn > 59_000 && expiresIn <= 60_000);
  assert.deepEqual(await ask(client, 'auth'), { user: 'anna', until: 'later', more: 1, $io: hello });
  assert.deepEqual(await renewal(client, { user: { id: 'anna' }, until: 'never' }), {});
  assert.deepEqual(await renewal(nobody, { user: true, until: 'never' }), {});

  const refused = { error: { code: 'AUTH_REFUSED', message: 'The new login is not valid' } };
  for (const auth of [{ until: 'later' }, { user: 'anna', until: 'past' }]) assert.deepEqual(await renewal(client, auth), refused);
  assert.deepEqual(await renewal(client, { user: 'wrong', until: 'later' }), { error: { code: 'UNAUTHORIZED', message: 'a wrong token' } });
  assert.match(JSON.stringify(await renewal(client, { user: true, until: 'later' })), /"INTERNAL_SERVER_ERROR"/);
  assert.match(JSON.stringify(await renewal(client, { user: 'anna', until: 'seconds' })), /"INTERNAL_SERVER_ERROR"/);
  for (const auth of [undefined, null, 'anna', ['anna']])
    assert.match(JSON.stringify(await renewal(client, auth)), /"INVALID_ARGUMENT"/, String(auth));
  assert.deepEqual(await ask(client, 'auth'), { user: { id: 'anna' }, until: 'never', $io: hello });

  const end = endOf(client);
  client.emit('$io:auth', { user: 'bert', until: 'later' });
  assert.deepEqual(await end, ['The new login is that of another user', { code: 'AUTH_OTHER_USER' }, 'io server disconnect']);
  const endOfNobody = endOf(nobody); // somebody's token is not nobody's
  nobody.emit('$io:auth', { user: 'bert', until: 'later' });
  assert.deepEqual(await endOfNobody, ['The new login is that of another user', { code: 'AUTH_OTHER_USER' }, 'io server disconnect']);
  const free = await connect(t, `${url}/free`);
  assert.match(JSON.stringify(await renewal(free, { user: 'anna' })), /"RESERVED_EVENT"/);
  free.disconnect();
  await nothingRemains(io);
  assert.equal(internals(io).runtime.deadlines.size, 0);
});

test('a login whose time is over while it is being renewed goes on until that is decided', async t => {
  const { app, io, url } = await start(t);
  for (const [user, isRenewed] of [
    ['anna', true],
    ['wrong', false],
  ] as const) {
    const client = await connect(t, `${url}/renewed`, { auth: { user: 'anna', until: 'soon' } });
    const { deadlines } = internals(io).runtime;
    let open = (): void => {};
    Object.assign(app, { gate: new Promise<void>(resolve => (open = resolve)) });
    const renewing = next(app, 'renewing');
    const end = endOf(client);
    const answer = renewal(client, { user, until: 'later' });
    await renewing;
    assert.match(JSON.stringify(await renewal(client, { user, until: 'later' })), /"TRY_AGAIN"/); // one at a time
    await endOf(await connect(t, `${url}/renewed`, { auth: { user: 'bert', until: 'soon' } })); // whose time is over later
    assert.equal(await ask(client, 'hello'), 'hi');
    assert.equal(deadlines.size, 1);
    open();
    if (isRenewed) {
      assert.deepEqual(Object.keys(Object(await answer) as object), ['expiresIn']);
      assert.equal(await ask(client, 'hello'), 'hi');
      client.disconnect();
    } else assert.deepEqual(await end, EXPIRED);
  }
  await nothingRemains(io);
  assert.equal(internals(io).runtime.deadlines.size, 0);
});

test('a login whose time is over for 10 s ends, although its renewal goes on', async t => {
  const { app, io, url } = await start(t);
  let time = Date.now();
  t.mock.method(Date, 'now', () => time); // stands still
  const client = await connect(t, `${url}/renewed`, { auth: { user: 'anna', until: 'later' } });
  let open = (): void => {};
  Object.assign(app, { gate: new Promise<void>(resolve => (open = resolve)) });
  const renewing = next(app, 'renewing');
  const end = endOf(client);
  const answer = renewal(client, { user: 'anna', until: 'later' });
  void answer.then(() => assert.fail('the client has gone'));
  await renewing;
  const { deadlines } = internals(io).runtime;
  time += 69_900; // a minute was left
  await new Promise<void>(due => deadlines.set({ slot: undefined, due }, 0)); // together with the login
  assert.equal(deadlines.size, 1);
  time += 300;
  assert.deepEqual(await end, EXPIRED);
  open();
  await nothingRemains(io);
  assert.equal(deadlines.size, 0);
});

test('renewals count as handshakes, and have their limit of size', async t => {
  const { url, io } = await startApp(t, {
    ...FILES,
    'config/config.default.js': `
      exports.io = { limits: { handshakes: 2, auth: 100 }, auth: { maxAge: 60000, renew: () => true } };`,
  });
  stopTime(t);
  const client = await connect(t, url);
  assert.deepEqual(Object.keys(Object(await renewal(client, {})) as object), ['expiresIn']);
  assert.deepEqual(await renewal(client, {}), { error: { code: 'TRY_AGAIN', message: 'The login cannot be renewed now' } });
  assert.equal(internals(io).runtime.limits.counts.handshakes, 1);
  assert.deepEqual(await renewal(client, { token: 'a'.repeat(100) }), {
    error: { code: 'AUTH_TOO_LARGE', message: 'The auth is too large' },
  });
  assert.equal(internals(io).runtime.limits.counts.auth, 1);
});

test('a client that renews its login again and again is checked all the same', async t => {
  const { app, io, url } = await start(t);
  const other = await connect(t, `${url}/checked`, { auth: { name: 'good' } });
  const client = await connect(t, `${url}/guarded`, { reconnection: false });
  const end = endOf(client);
  // each time well before the check would come if this had put it off
  for (let count = 0; count < 10 && client.connected; count++) {
    client.emit('$io:auth', {});
    await next(app, 'checked');
  }
  assert.equal(client.connected, false);
  assert.deepEqual(await end, REVOKED);
  other.disconnect();
  await nothingRemains(io);
});

test('a client that renews its login while a check says no is checked again at once, and not a third time', async t => {
  const { app, io, url } = await start(t);
  const client = await connect(t, `${url}/guarded`, { reconnection: false });
  const end = endOf(client);
  for (const _ of ['first', 'again']) {
    let open = (): void => {};
    Object.assign(app, { gate: new Promise<void>(resolve => (open = resolve)) });
    await next(app, 'checking');
    assert.deepEqual(await renewal(client, {}), {});
    internals(io).runtime.deadlines.close(); // no other check comes in its time
    void Promise.resolve().then(open);
  }
  assert.deepEqual(await end, REVOKED);
  await nothingRemains(io);
});

test('a client that renews its login all the time is told to wait, and takes nothing from the handshakes of others', async t => {
  const { url, io } = await startApp(t, {
    ...FILES,
    'config/config.default.js': 'exports.io = { limits: { handshakes: 50 }, auth: { maxAge: 60000, renew: () => true } };',
  });
  const pass = stopTime(t);
  const client = await connect(t, url);
  const answers = await Promise.all(Array.from({ length: 100 }, async () => renewal(client, {})));
  while (answers.length < 200) answers.push(await renewal(client, {}));
  const renewed = answers.filter(answer => !Object.hasOwn(Object(answer) as object, 'error'));
  assert.equal(renewed.length, 10);
  const refused = { error: { code: 'TRY_AGAIN', message: 'The login cannot be renewed now' } };
  assert.deepEqual(answers.at(-1), refused);
  pass(1000);
  assert.deepEqual(Object.keys(Object(await renewal(client, {})) as object), ['expiresIn']);
  assert.deepEqual(await renewal(client, {}), refused);
  const { counts } = internals(io).runtime.limits;
  assert.equal(counts.handshakes, 0);
  assert.ok(counts.renewals > 90, String(counts.renewals));
  for (let count = 0; count < 20; count++) (await connect(t, url)).disconnect();
});
