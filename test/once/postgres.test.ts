/** PostgreSQL as the backplane: what its faults and its recoveries cost, beyond what holds for every backplane. */
import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { createRequire } from 'node:module';
import { test, type TestContext } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { format } from 'node:util';
import { MessageType } from 'socket.io-adapter';
import { allHeard, allKnown, enter, ignoresTheClock } from '../support/adapters';
import { type RunningApp, startApp } from '../support/app';
import { next } from '../support/client';
import { documentedFault } from '../support/documented-fault';
import { join } from '../support/joined';
import { Delivery, FailedQuery, Listener, RECEIVES_TOO_MUCH, meaningOf, Publisher, Queries, Reader, Refusals } from '../support/parts';
import { newPostgres, runAt } from '../support/postgres';
import { watchForCrashes } from '../support/remains';
import { until } from '../support/until';

/** The adapter brings it. */
const { Client, Pool } = createRequire(require.resolve('@socket.io/postgres-adapter'))('pg') as {
  Client: new (url: string) => Client;
  Pool: new (options: object) => ConstructorParameters<typeof Queries>[0];
};

const { BROADCAST, HEARTBEAT } = MessageType;
const DOWN = /^ERROR .*IO_DATABASE_DOWN/;
const BACK = /^INFO .*PostgreSQL at .* is back/;

test(
  'servers that tell each other only once a minute that they are here find each other as soon as PostgreSQL is there',
  { timeout: 30_000 },
  async t => {
    watchForCrashes(t);
    const postgres = await newPostgres(t);
    const servers = [await start(t, postgres.url, 'heartbeatInterval: 60_000'), await start(t, postgres.url, 'heartbeatInterval: 60_000')];
    await postgres.start();
    for (const { io } of servers) await until(t, async () => (await io.of('/').adapter.serverCount()) === 2);
  },
);

test(
  'a clock that is set changes nothing: servers that are there are asked, and one that has gone is not',
  { timeout: 30_000 },
  async t => {
    watchForCrashes(t);
    const postgres = await newPostgres(t);
    await postgres.start();
    const adapter = { name: 'postgres', connection: postgres.url, heartbeatInterval: 60_000, heartbeatTimeout: 8000 };
    const [one, other] = [await join(t, { adapter }), await join(t, { adapter })];
    await Promise.all([one.ready(), other.ready()]);
    await ignoresTheClock(t, one, other);
  },
);

test('tables that several servers create at the same time', { timeout: 30_000 }, async t => {
  const postgres = await newPostgres(t);
  await postgres.start();
  const pools = Array.from({ length: 8 }, () => new Pool({ connectionString: postgres.url, max: 1 }));
  try {
    for (let index = 0; index < 40; index++)
      await Promise.all(pools.map(async pool => new Queries(pool, `messages_${index}`, 30_000).openTable()));
  } finally {
    await Promise.all(pools.map(async pool => pool.end()));
  }
});

test('Pgpool-II, whose standby lags: all messages arrive, also those that go through the table', async t => {
  watchForCrashes(t);
  const postgres = await newPostgres(t);
  await postgres.start();
  const standby = await postgres.newStandby();
  await standby.start();
  await runAt(standby.url, 'SELECT pg_wal_replay_pause()');
  const adapter = { name: 'postgres', connection: await postgres.startPgpool(standby) };
  const [one, other] = [await join(t, { adapter }), await join(t, { adapter })];
  await Promise.all([one.ready(), other.ready()]);
  const person = await enter(t, other);
  await allKnown([one, other]);
  one.io.emit('said', 'text');
  one.io.emit('said', Buffer.from('bytes'));
  assert.deepEqual(await allHeard(one.io.of('/'), [person]), [
    [
      ['said', 'text'],
      ['said', Buffer.from('bytes')],
    ],
  ]);
  assert.deepEqual(
    [one.logs.lines, other.logs.lines].flat().filter(line => line.startsWith('ERROR')),
    [],
  );
});

test('characters that the encoding of the database lacks reach other servers, in order', async t => {
  watchForCrashes(t);
  const postgres = await newPostgres(t);
  await postgres.start();
  const admin = await clientOf(t, postgres.url);
  await admin.query(`CREATE DATABASE chinese ENCODING 'EUC_CN' LOCALE 'C' TEMPLATE template0`);
  const adapter = { name: 'postgres', connection: postgres.url.replace(/[^/]+$/, 'chinese') };
  const [one, other] = [await join(t, { adapter }), await join(t, { adapter })];
  await Promise.all([one.ready(), other.ready()]);
  const person = await enter(t, other);
  await allKnown([one, other]);
  for (const text of ['早上好', '☕', '🙂', 'café']) one.io.emit('said', text);
  assert.deepEqual(await allHeard(one.io.of('/'), [person]), [
    [
      ['said', '早上好'],
      ['said', '☕'],
      ['said', '🙂'],
      ['said', 'café'],
    ],
  ]);
  assert.deepEqual(
    [one.logs.lines, other.logs.lines].flat().filter(line => line.startsWith('ERROR')),
    [],
  );
});

test('PostgreSQL that shuts down while it has a message is an outage, and does not count as refusing that message', async t => {
  watchForCrashes(t);
  const postgres = await newPostgres(t);
  await postgres.start();
  const admin = await clientOf(t, postgres.url);
  await admin.query('CREATE TABLE slow (id bigserial UNIQUE, created_at timestamptz DEFAULT NOW(), payload bytea)');
  const sleep = 'RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(60); RETURN NEW; END $$';
  await admin.query(`CREATE FUNCTION sleep() ${sleep}`);
  await admin.query('CREATE TRIGGER slow BEFORE INSERT ON slow FOR EACH ROW WHEN (NEW.payload IS NOT NULL) EXECUTE FUNCTION sleep()');
  const { io, logs, logged } = await start(t, postgres.url, `tableName: 'slow'`);
  io.emit('said', Buffer.from('bytes')); // to be stored in that table
  await until(t, async () => (await admin.query(`SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'`)).rowCount !== 0);
  await postgres.stop();
  await logged(DOWN);
  await postgres.start();
  assert.match(await logged(BACK), /is back; messages to other servers lost meanwhile: 1$/);
  documentedFault('postgres', 'PostgreSQL that shuts down while it has a message is an outage').log(logs);
  assert.equal(logs.filter(line => line.startsWith('ERROR')).length, 1, logs.join('\n'));
});

test('an error of the connection is an outage, that of a value is of that value alone, and all else is a refusal', () => {
  for (const code of ['08006', '57P01', '57P02', '57P03', 'ECONNREFUSED', 'EPIPE']) assert.equal(meaningOf(errorOf(code)), 'lost', code);
  for (const code of ['22023', '22P05']) assert.equal(meaningOf(errorOf(code)), 'value', code);
  for (const code of ['25006', '28P01', '42501', '42P01', '53300', '57014', 'XX000'])
    assert.equal(meaningOf(errorOf(code)), 'refused', code);
  const late = new Error('Query read timeout'); // of pg
  assert.equal(new FailedQuery('INSERT', 'a table that is locked', late).meaning, 'refused');
  assert.equal(new FailedQuery('NOTIFY', 'a channel', late).meaning, 'lost');
});

test('while PostgreSQL does not answer, messages wait up to 32 MB; the outage drops them, and counts them', () => {
  const refused: unknown[] = [];
  const publisher = new Publisher({
    queries: { notify: () => new Promise(() => {}), insert: () => new Promise(() => {}) } as unknown as PublisherOptions['queries'], // it never answers
    table: { open: () => new Promise(() => {}) } as unknown as PublisherOptions['table'], // not even to that
    messagePack: { encode: () => new Uint8Array(1024 * 1024), decode: () => undefined },
    prefix: 'socket.io',
    threshold: 7999,
    onFailure: () => assert.fail('nothing has an answer'),
    onOverflow: message => refused.push(message),
    onDrain: () => {},
  });
  const small = { uid: 'a', nsp: '/', type: 3 };
  for (let n = 0; n < 10_000; n++) publisher.publish(small);
  assert.equal(publisher.drop().length, 9999, 'one is on its way');
  assert.deepEqual(publisher.drop(), []);
  const large = { ...small, bytes: Buffer.alloc(1) };
  for (let n = 0; n < 40; n++) publisher.publish(large);
  assert.equal(refused.length, 7);
});

type PublisherOptions = ConstructorParameters<typeof Publisher>[0];

test('while a row is read, messages of other servers wait up to 32 MB; more is lost, with one line of log and a count; own ones never wait', async t => {
  const lines: string[] = [];
  const logger = { error: (line: string) => lines.push(line), info: (...line: unknown[]) => lines.push(format(...line)) };
  const refusals = new Refusals('PostgreSQL', 'IO_DATABASE_REFUSED', logger as unknown as Logger, () => {}); // it logs nothing else
  const read: unknown[] = [];
  let answer = (_row: Uint8Array): void => {};
  const row = new Promise<Uint8Array>(resolve => (answer = resolve));
  const reader = new Reader({
    queries: { select: () => row } as unknown as ReaderOptions['queries'], // only rows are read
    messagePack: { encode: () => new Uint8Array(), decode: () => ({ nsp: '/' }) },
    inbox: {} as ReaderOptions['inbox'], // nothing is invalid
    onMessage: message => read.push(message),
    onFailure: () => assert.fail('all can be read'),
    onLost: () => assert.fail('all can be read'),
    onOverflow: ({ type }) => refusals.add({ ...RECEIVES_TOO_MUCH, losesMessage: type === BROADCAST }),
    onDrain: () => refusals.remove(RECEIVES_TOO_MUCH.problem),
  });
  reader.ignore('own');
  reader.read('channel', '{"attachmentId":"1"}');
  const payload = JSON.stringify({ uid: 'other', type: BROADCAST, nsp: '/', data: '大'.repeat(350_000) }); // more than 1 MB
  const own = JSON.stringify({ uid: 'own', type: BROADCAST, nsp: '/', data: 'x'.repeat(1024 * 1024) });
  for (let n = 0; n < 40; n++) reader.read('channel', own);
  for (let n = 0; n < 40; n++) reader.read('channel', payload);
  reader.read('channel', own);
  reader.read('channel', JSON.stringify({ uid: 'other', type: HEARTBEAT, nsp: '/' }));
  answer(new Uint8Array());
  await until(t, () => lines.length >= 2);
  assert.match(lines[0] ?? '', /IO_DATABASE_REFUSED: PostgreSQL delivers messages faster .*; emit less/);
  assert.match(lines[1] ?? '', /; messages of other servers lost meanwhile: 8$/);
  assert.equal(read.length, 33);
  reader.read('channel', payload);
  await until(t, () => read.length >= 34);
  assert.equal(lines.length, 2);
});

type ReaderOptions = ConstructorParameters<typeof Reader>[0];
type Logger = ConstructorParameters<typeof Refusals>[2];

test('a statement that is refused is tried again at the next message, except while it is retried', async () => {
  let refused: Error | undefined = errorOf('53300');
  const { pool } = newPool(async () => (refused ? Promise.reject(refused) : [{ id: 1 }]));
  const queries = new Queries(pool, 'messages', 30_000);
  const first = await failureOf(queries.insert(Buffer.from('lost')));
  refused = undefined;
  assert.equal(await queries.insert(Buffer.from('sent')), '1');
  const retry = queries.suspend(first);
  assert.equal(await failureOf(queries.insert(Buffer.from('lost'))), first);
  await retry?.();
  assert.equal(await queries.insert(Buffer.from('sent')), '1');
});

test('what no message waits for takes one connection of the pool at a time', async () => {
  const { pool, used } = newPool(async text => {
    await nextTurn();
    if (text.startsWith('INSERT')) throw errorOf('55P03');
    return [];
  });
  const queries = new Queries(pool, 'messages', 30_000);
  const failures = (['INSERT', 'SELECT', 'DELETE'] as const).map(name => new FailedQuery(name, 'messages', errorOf('55P03')));
  const retries = failures.map(failure => queries.suspend(failure));
  await Promise.allSettled([queries.openTable(), queries.deleteOld(), ...retries.map(async retry => retry?.())]);
  assert.equal(Math.max(...used), 1);
});

function errorOf(code: string): Error {
  return Object.assign(new Error(code), { code });
}

async function failureOf(query: Promise<unknown>): Promise<Refused> {
  return query.then(
    () => assert.fail('it was not refused'),
    (failure: unknown) => failure as Refused, // queries throw no other error
  );
}

/** A pool whose connections answer alike. `used` has the number of those in use whenever one more is. */
function newPool(answer: (text: string) => Promise<object[]>): { pool: Pool; used: number[] } {
  const used: number[] = [];
  let busy = 0;
  const query = async (text: string): Promise<{ rows: object[] }> => ({ rows: await answer(text) });
  const connect = async (): Promise<object> => {
    used.push(++busy);
    return Promise.resolve(Object.assign(new EventEmitter(), { query, release: () => busy-- }));
  };
  const queryOnce = async (text: string): Promise<unknown> => {
    used.push(++busy);
    return query(text).finally(() => busy--);
  };
  return { pool: { connect, query: queryOnce } as unknown as Pool, used }; // what queries need of one
}

type Refused = InstanceType<typeof FailedQuery>;
type Pool = ConstructorParameters<typeof Queries>[0];

test('the refusal of a LISTEN ends with its namespace', async () => {
  const client = Object.assign(new EventEmitter(), {
    connect: async () => Promise.resolve(),
    query: async (text: string) => (text === 'LISTEN "refused"' ? Promise.reject(errorOf('42501')) : Promise.resolve({ rows: [] })),
    end: async () => Promise.resolve(void client.emit('end')),
  });
  const events = new EventEmitter();
  const Client = function (): object {
    return client;
  };
  const pg = { Client } as unknown as ListenerPackage; // it makes this very client
  const listener = new Listener(
    pg,
    {},
    {
      onNotification: () => {},
      onError: error => assert.fail(error),
      onRefused: channel => events.emit('refused', channel),
      onComplete: () => events.emit('complete'),
    },
  );
  listener.listen('pulses');
  listener.listen('refused');
  const refused = once(events, 'refused');
  void listener.start();
  assert.deepEqual(await refused, ['refused']);
  await listener.ping(); // the other has succeeded
  assert.ok(!listener.isComplete);
  const complete = once(events, 'complete');
  listener.unlisten('refused');
  await complete;
  assert.deepEqual([listener.listensTo('pulses'), listener.listensTo('refused')], [true, false]);
  await listener.close();
});

type ListenerPackage = ConstructorParameters<typeof Listener>[0];

test('the listening connection is not idle while a channel is missing; only that of the pulses excuses that none arrives', async () => {
  let heard = ['pulses'];
  let pings = 0;
  let nothing = 0;
  const listener = { isComplete: false, listensTo: (channel: string) => heard.includes(channel), ping: async () => void pings++ };
  const delivery = new Delivery(listener as unknown as DeliveryListener, 'pulses', () => nothing++); // what it needs of one
  for (let pulse = 0; pulse < 3; pulse++) await delivery.onAccepted();
  assert.equal(nothing, 1);
  heard = [];
  pings = 0;
  for (let pulse = 0; pulse < 10; pulse++) await delivery.onAccepted();
  assert.deepEqual([nothing, pings], [1, 2]);
});

test('where nothing is delivered, as behind a pooler, that is known until several pulses in a row arrive: one gets through by chance', async () => {
  const listener = { listensTo: () => true, ping: async () => {} };
  const delivery = new Delivery(listener as unknown as DeliveryListener, 'pulses', () => {}); // what it needs of one
  const miss = async (): Promise<void> => {
    for (let pulse = 0; pulse < 3; pulse++) await delivery.onAccepted();
  };
  await delivery.onAccepted();
  assert.ok(!delivery.deliversNothing);
  await miss();
  assert.ok(delivery.deliversNothing);
  delivery.onPulse();
  delivery.onPulse();
  await miss();
  for (const delivers of [false, false, true]) {
    delivery.onPulse();
    assert.equal(delivery.deliversNothing, !delivers);
  }
});

type DeliveryListener = ConstructorParameters<typeof Delivery>[0];

test('after outages there is one listening connection', async t => {
  watchForCrashes(t);
  const postgres = await newPostgres(t);
  await postgres.start();
  const { logs, logged, app } = await start(t, postgres.url);
  const admin = await clientOf(t, postgres.url);
  const listening = `FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND query ~ '^(UN)?LISTEN|^SELECT 1$'`;
  for (const outage of [1, 2]) {
    await admin.query(`SELECT pg_terminate_backend(pid) ${listening}`);
    while (logs.filter(line => BACK.test(line)).length < outage) await next(app, 'captured');
  }
  await logged(BACK);
  await until(t, async () => (await admin.query(`SELECT 1 ${listening}`)).rowCount === 1);
});

interface Client {
  connect(): Promise<void>;
  query(text: string): Promise<{ rowCount: number }>;
  end(): Promise<void>;
  on(event: 'error', listener: () => void): void;
}

async function start(t: TestContext, url: string, options = ''): Promise<RunningApp> {
  const config = `exports.io = { adapter: { name: 'postgres', connection: '${url}', ${options} } };`;
  return startApp(t, { 'config/config.default.js': config });
}

async function clientOf(t: TestContext, url: string): Promise<Client> {
  const client = new Client(url);
  client.on('error', () => {}); // PostgreSQL shuts down
  t.after(async () => client.end());
  await client.connect();
  return client;
}
