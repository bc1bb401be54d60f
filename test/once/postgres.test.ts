/** PostgreSQL as the backplane: what its faults and its recoveries cost, beyond what holds for every backplane. */
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test, type TestContext } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { format } from 'node:util';
import { type RunningApp, startApp } from '../support/app';
import { next } from '../support/client';
import { documentedFault } from '../support/documented-fault';
import { Delivery, FailedQuery, RECEIVES_TOO_MUCH, meaningOf, Publisher, Reader, Refusals } from '../support/parts';
import { newPostgres } from '../support/postgres';
import { watchForCrashes } from '../support/remains';

/** The adapter brings it. */
const { Client } = createRequire(require.resolve('@socket.io/postgres-adapter'))('pg') as { Client: new (url: string) => Client };

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
    for (const { io } of servers) while ((await io.of('/').adapter.serverCount()) !== 2) await nextTurn();
  },
);

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
  while ((await admin.query(`SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'`)).rowCount === 0);
  await postgres.stop();
  await logged(DOWN);
  await postgres.start();
  assert.match(await logged(BACK), /is back; 1 messages/);
  documentedFault('postgres', 'PostgreSQL that shuts down while it has a message is an outage').log(logs);
  assert.equal(logs.filter(line => line.startsWith('ERROR')).length, 1, logs.join('\n'));
});

test('an error of the connection is an outage, that of a value is of that value alone, and all else is a refusal', () => {
  const errorOf = (code: string): Error => Object.assign(new Error(code), { code });
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

test('while a row is read, messages of other servers wait up to 32 MB; more is lost, with one line of log and a count', async () => {
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
    onOverflow: () => refusals.add({ ...RECEIVES_TOO_MUCH, losesMessage: true }),
    onDrain: () => refusals.remove(RECEIVES_TOO_MUCH.problem),
  });
  reader.read('channel', '{"attachmentId":"1"}');
  const payload = JSON.stringify({ nsp: '/', data: 'x'.repeat(1024 * 1024) });
  for (let n = 0; n < 40; n++) reader.read('channel', payload);
  answer(new Uint8Array());
  while (lines.length < 2) await nextTurn();
  assert.match(lines[0] ?? '', /IO_DATABASE_REFUSED: PostgreSQL delivers messages faster .*; emit less/);
  assert.match(lines[1] ?? '', /; 8 messages of other servers were lost meanwhile/);
  assert.equal(read.length, 33);
  reader.read('channel', payload);
  while (read.length < 34) await nextTurn();
  assert.equal(lines.length, 2);
});

type ReaderOptions = ConstructorParameters<typeof Reader>[0];
type Logger = ConstructorParameters<typeof Refusals>[2];

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
  while ((await admin.query(`SELECT 1 ${listening}`)).rowCount !== 1);
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
