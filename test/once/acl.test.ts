/** Redis with users that may do no more than docs/backends.md says that they need, and with less. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { Redis } from 'ioredis';
import { ROOT, type RunningApp, startApp } from '../support/app';
import { ask, type Client, connect, next } from '../support/client';
import { startRedis } from '../support/redis';
import { watchForCrashes } from '../support/remains';
import { repeatUntil } from '../support/until';

/** The rules of the guide, by adapter: the lines `ACL SETUSER chat ... `. */
const RULES = Object.fromEntries(
  [...readFileSync(join(ROOT, 'docs/backends.md'), 'utf8').matchAll(/^\| `'(redis[a-z-]*)'` +\| `(on .*?)` +\|$/gm)].map(
    ([, adapter, rules]) => [adapter, rules?.split(' ') ?? []],
  ),
);

const ADAPTERS = ['redis', 'redis-sharded', 'redis-streams'];

/** Of a client with idempotency keys. */
const KNOWN = { auth: { $io: { v: 1, owner: 'a-secret-of-this-client' } } };

/** A Redis, and apps on it that are this user. */
async function startWith(
  t: TestContext,
  adapter: string,
  rules: readonly string[],
): Promise<{ admin: Redis; start: () => Promise<RunningApp> }> {
  const { port } = await startRedis(t);
  const admin = new Redis({ port });
  t.after(() => admin.disconnect());
  const chat = adapter === 'redis' ? ['&socket.io#/chat#*'] : []; // the other namespace of this app
  await admin.call('ACL', 'SETUSER', 'chat', '>secret', ...rules, ...chat);
  const recovers = adapter === 'redis-streams' ? 'init: { connectionStateRecovery: {} },' : '';
  const config = `exports.io = { ${recovers} adapter: '${adapter}', redis: { port: ${port}, username: 'chat', password: 'secret' } };`;
  const files = {
    'app/router.js': `
      module.exports = app => {
        app.io.route('join', async ctx => { await ctx.socket.join('room'); return true; });
        app.io.route('pay', async ctx => {
          await new Promise(resolve => setTimeout(resolve, ctx.args[1])); // after 1 s, its lease is renewed
          return 'paid';
        }, { idempotencyKey: ctx => ctx.args[0] });
        app.io.of('/chat');
      };`,
    'config/config.default.js': config,
  };
  return { admin, start: () => startApp(t, files) };
}

async function hears(t: TestContext, client: Client, event: string, emit: () => void): Promise<void> {
  await repeatUntil(t, emit, next(client, event)); // the room's channel is subscribed to meanwhile
}

for (const adapter of ADAPTERS) {
  test(`${adapter}: all works for a user of Redis with the rules of the guide`, async t => {
    watchForCrashes(t);
    const { start } = await startWith(t, adapter, RULES[adapter] ?? []);
    const [one, other] = [await start(), await start()];
    const [alice, bob] = [await connect(t, one.url, KNOWN), await connect(t, other.url, KNOWN)];
    const paid = [ask(alice, 'pay', 'order', 1100), ask(bob, 'pay', 'order', 1100)];
    const chat = await connect(t, `${other.url}/chat`);
    await ask(bob, 'join');
    await hears(t, bob, 'to all', () => one.io.emit('to all'));
    await hears(t, bob, 'to a room', () => one.io.to('room').emit('to a room'));
    await hears(t, chat, 'to a namespace', () => one.io.of('/chat').emit('to a namespace'));
    await hears(t, alice, 'back', () => other.io.emit('back'));
    assert.equal((await one.io.fetchSockets()).length, 2);
    for (const client of [alice, bob]) client.on('ask', (answer: (text: string) => void) => answer('here'));
    assert.deepEqual(await one.io.emitWithAck('ask'), ['here', 'here']);
    other.io.on('servers', (answer: (text: string) => void) => answer('there'));
    assert.deepEqual(await one.io.serverSideEmitWithAck('servers'), ['there']);
    assert.deepEqual(await Promise.all(paid), ['paid', 'paid']);
    const gone = next(bob, 'disconnect');
    one.io.in('room').disconnectSockets();
    await gone;
    for (const { logs } of [one, other])
      assert.deepEqual(
        logs.filter(line => /NOPERM|_DOWN|ERROR/.test(line)),
        [],
      );
  });
}

test('redis-streams: a client is recovered for a user of Redis with the rules of the guide', async t => {
  const { start } = await startWith(t, 'redis-streams', RULES['redis-streams'] ?? []);
  const { io, url } = await start();
  const client = await connect(t, url, { reconnection: true, reconnectionDelay: 10 });
  const heard = next(client, 'offset');
  io.emit('offset');
  await heard;
  const back = next(client, 'connect');
  client.io.engine.close();
  await back;
  assert.equal(client.recovered, true);
});

/** What is taken from the rules, and what the log says then. */
const MISSING: [adapter: string, rule: string, reason: RegExp][] = [
  ['redis', '&socket.io#/#*', /psubscribe socket\.io#\/#\*: NOPERM/],
  ['redis', '&socket.io-response#*', /subscribe .*: NOPERM/],
  ['redis', '&socket.io-request#*', /(publish|subscribe) .*: NOPERM/],
  ['redis', '+publish', /publish .*: NOPERM/],
  ['redis', '+pubsub', /pubsub .*: NOPERM/],
  ['redis', '~socket.io:once:*', /set: NOPERM/],
  ['redis', '+get', /get: NOPERM/],
  ['redis', '+pexpire', /pexpire: NOPERM/],
  ['redis-sharded', '&socket.io#*', /(ssubscribe|spublish) .*: NOPERM/],
  ['redis-sharded', '+spublish', /(ssubscribe|spublish) .*: NOPERM/],
  ['redis-streams', '&socket.io#*', /(subscribe|publish) .*: NOPERM/],
  ['redis-streams', '~socket.io', /(xadd|xread|xrevrange) .*: NOPERM/],
  ['redis-streams', '+set', /set: NOPERM/],
  ['redis-streams', '+publish', /publish .*: NOPERM/],
  ['redis-streams', '+xadd', /xadd .*: NOPERM/],
  ['redis-streams', '+xread', /xread .*: NOPERM/],
];

for (const [adapter, rule, reason] of MISSING) {
  test(`${adapter}: without ${rule} local clients are served, and the log has the words of Redis, once for each command; it says when it is over`, async t => {
    watchForCrashes(t);
    const rules = RULES[adapter] ?? [];
    assert.ok(rules.includes(rule));
    const { admin, start } = await startWith(
      t,
      adapter,
      rules.filter((one: string) => one !== rule),
    );
    const one = await start();
    const client = await connect(t, one.url, KNOWN);
    const duration = rule === '+pexpire' ? 1500 : 0;
    for (let n = 0; n < 2; n++) await ask(client, 'pay', 'order', duration); // the second one asks for the answer of the first one
    const local = next(client, 'local');
    one.io.emit('local');
    await local;
    await one.io.fetchSockets().catch(() => {});
    assert.match(
      await one.logged(/^ERROR .*IO_REDIS_REFUSED/),
      /refuses [A-Z]+( for idempotency keys)?; .* until that is over; give its user the rights listed in/,
    );
    await one.logged(reason);
    await admin.call('ACL', 'SETUSER', 'chat', rule);
    for (const command of refused(one)) await one.logged(new RegExp(`^INFO .* allows ${command} again`));
    assert.equal((await one.io.fetchSockets()).length, 1);
    assert.equal(new Set(refused(one)).size, refused(one).length, 'each command once');
    assert.equal(one.logs.filter(line => line.includes('IO_REDIS_DOWN')).length, 0);
  });
}

/** The commands that the log says are refused. */
function refused({ logs }: RunningApp): string[] {
  return logs.flatMap(line => /^ERROR .*IO_REDIS_REFUSED: .* refuses ([^;]+);/.exec(line)?.[1] ?? []);
}
