/** PostgreSQL as operators run it: what it refuses, is not allowed to do, or does not deliver. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { before, test, type TestContext } from 'node:test';
import { createAdapter } from '@socket.io/postgres-adapter';
import { Server } from 'socket.io';
import { ROOT, type RunningApp, startApp } from '../support/app';
import { ask, type Client as SocketClient, connect, newClient, next } from '../support/client';
import { documentedFault } from '../support/documented-fault';
import { lifetimeOfFile } from '../support/lifetime';
import { history } from '../support/parts';
import { newPostgres, type PostgresServer } from '../support/postgres';
import { watchForCrashes } from '../support/remains';
import { repeatUntil, until } from '../support/until';

/** The adapter brings it. */
const { Client, Pool, types } = createRequire(require.resolve('@socket.io/postgres-adapter'))('pg') as {
  Client: new (url: string) => Client;
  Pool: new (options: object) => Parameters<typeof createAdapter>[0];
  types: { getTypeParser(oid: number, format: string): unknown };
};

interface Client {
  connect(): Promise<void>;
  query(text: string): Promise<{ rowCount: number; rows: Record<string, unknown>[] }>;
  end(): Promise<void>;
}

let postgres: PostgresServer;
let admin: Client;
const file = lifetimeOfFile();

before(async () => {
  postgres = await newPostgres(file);
  await postgres.start();
  admin = new Client(postgres.url);
  await admin.connect();
  file.after(() => admin.end());
});

const BACK = /^INFO .*PostgreSQL at .* is back/;

/** A line of ERROR with the code of refusals. */
function refusal(...parts: string[]): RegExp {
  return new RegExp(`^ERROR .*IO_DATABASE_REFUSED: PostgreSQL at .*${parts.join('.*')}`);
}

test('a user who may do nothing, who is told of each right that is missing and of each that has been given', async t => {
  watchForCrashes(t);
  await admin.query('CREATE ROLE limited LOGIN');
  await admin.query('REVOKE EXECUTE ON FUNCTION pg_notify(text, text) FROM PUBLIC');
  const other = await start(t, postgres.url);
  await exists('socket_io_attachments');
  const one = await start(t, urlOf('limited'));
  const [alice, bob] = [await connect(t, one.url), await connect(t, other.url)];
  await one.logged(
    refusal(
      'refuses NOTIFY; events of this server do not reach',
      'until that is over',
      'rights',
      'permission denied for function pg_notify',
    ),
  );
  const fault = documentedFault('postgres', 'a user who may do nothing');
  const own = new Promise(resolve => alice.onAny(resolve));
  await fault.emits(one, bob);
  await own;
  await reaches(t, other, alice); // nothing is needed to listen
  await fault.questions(one);

  await admin.query('GRANT EXECUTE ON FUNCTION pg_notify(text, text) TO PUBLIC');
  await one.logged(/^INFO .*allows NOTIFY again; messages to other servers lost meanwhile: 1$/);
  await reaches(t, one, bob);
  assert.equal((await one.io.fetchSockets()).length, 2);
  await one.logged(refusal('refuses INSERT', 'if they contain bytes', 'permission denied for table'));
  one.io.emit('bytes', Buffer.from('lost'));
  await reaches(t, one, bob); // in order: the one before has been tried
  await admin.query('GRANT INSERT, SELECT, DELETE ON socket_io_attachments TO limited');
  await one.logged(refusal('refuses INSERT', 'permission denied for'));
  await admin.query('GRANT USAGE ON SEQUENCE socket_io_attachments_id_seq TO limited');
  await one.logged(/^INFO .*allows INSERT again; messages to other servers lost meanwhile: 1$/);
  await reaches(t, one, bob, Buffer.from('bytes'));
  fault.log(one.logs);
  assert.equal(one.logs.filter(line => line.startsWith('ERROR')).length, 2, one.logs.join('\n'));
  assert.ok(!one.logs.some(line => BACK.test(line)), 'there was no outage');
});

test('a user who may not use the table for idempotency keys, and the same table when it is locked: events with a key are not handled, all else goes on', async t => {
  watchForCrashes(t);
  await admin.query('CREATE ROLE payer LOGIN');
  await admin.query('CREATE SCHEMA keys');
  await admin.query('CREATE TABLE keys.messages (id bigserial UNIQUE, created_at timestamptz DEFAULT now(), payload bytea)');
  await admin.query('GRANT USAGE ON SCHEMA keys TO payer');
  await admin.query('GRANT ALL ON ALL TABLES IN SCHEMA keys TO payer');
  await admin.query('GRANT ALL ON ALL SEQUENCES IN SCHEMA keys TO payer');
  const router = `module.exports = app => app.io.route('pay', async ctx => 'paid ' + ctx.args[0], { idempotencyKey: ctx => ctx.args[0] });`;
  const one = await start(t, urlOf('payer'), `tableName: 'keys.messages', cleanupInterval: 50,`, router);
  const alice = await connect(t, one.url, { auth: { $io: { v: 1, owner: 'a-secret-of-this-client' } } });
  const refused = refusal('refuses statements for idempotency keys; events with an idempotency key are not handled', 'permission denied');
  const over = /^INFO .*allows statements for idempotency keys again$/;
  const isRefused = async (key: string): Promise<boolean> =>
    ((await ask(alice, 'pay', key)) as { error?: { code: string } }).error?.code === 'TRY_AGAIN';
  assert.ok(await isRefused('first'));
  await one.logged(refused);
  const fault = documentedFault('postgres', 'a user who may not use the table for idempotency keys');
  await fault.questions(one);
  await admin.query('CREATE TABLE keys.socket_io_outcomes (key text PRIMARY KEY, outcome bytea, expires_at timestamptz NOT NULL)');
  await admin.query('GRANT SELECT, INSERT, UPDATE, DELETE ON keys.socket_io_outcomes TO payer');
  await one.logged(over);
  assert.equal(await ask(alice, 'pay', 'first'), 'paid first');
  assert.ok(
    one.logs.some(line => /^WARN .*event "pay" failed.*TRY_AGAIN|^WARN .*event "pay" failed.*find out now/.test(line)),
    'the refusal has its ERROR',
  );
  fault.log(one.logs);

  await admin.query(`UPDATE keys.socket_io_outcomes SET expires_at = now()`);
  await until(t, async () => (await admin.query('SELECT 1 FROM keys.socket_io_outcomes')).rowCount === 0); // it has been deleted
  const before = one.logs.length;
  await admin.query('BEGIN');
  t.after(async () => admin.query('ROLLBACK'));
  await admin.query('LOCK TABLE keys.socket_io_outcomes');
  assert.ok(await isRefused('second'));
  assert.equal((await one.io.fetchSockets()).length, 1);
  await admin.query('COMMIT');
  await until(t, async () => !(await isRefused('second')));
  const refusals = one.logs.slice(before).filter(line => line.includes('IO_DATABASE_REFUSED') && !line.includes('event "pay" failed'));
  assert.equal(refusals.length, 1, refusals.join('\n'));
  assert.ok(!one.logs.some(line => BACK.test(line)), 'there was no outage');
});

test('a user who may not use the tables of rooms with history, and these when they are locked: clients of the rooms get events, and learn of gaps', async t => {
  watchForCrashes(t);
  await admin.query('CREATE ROLE teller LOGIN');
  await admin.query('CREATE SCHEMA told');
  await admin.query('CREATE TABLE told.messages (id bigserial UNIQUE, created_at timestamptz DEFAULT now(), payload bytea)');
  await admin.query('GRANT USAGE ON SCHEMA told TO teller');
  await admin.query('GRANT ALL ON ALL TABLES IN SCHEMA told TO teller');
  await admin.query('GRANT ALL ON ALL SEQUENCES IN SCHEMA told TO teller');
  const files = { 'app/router.js': `module.exports = app => app.io.route('join', ctx => void ctx.socket.join('room'));` };
  const adapter = `{ name: 'postgres', connection: '${urlOf('teller')}', tableName: 'told.messages' }`;
  const one = await startApp(t, {
    ...files,
    'config/config.default.js': `exports.io = { adapter: ${adapter}, namespace: { '/': { history: { room: {} } } } };`,
  });
  const heard: unknown[] = [];
  const alice = newClient(t, one.url);
  history(alice, { onGap: () => heard.push('gap') });
  alice.on('said', what => heard.push(what));
  alice.on('connect', () => alice.emit('join'));
  await next(alice, 'connect');
  await until(t, () =>
    one.logs.some(line =>
      refusal('refuses statements for rooms with history', 'get their events with gaps', 'permission denied').test(line),
    ),
  );
  await until(t, () => one.io.sockets.adapter.rooms.has('room'));
  one.io.to('room').emit('said', 'without a table');
  await until(t, () => heard.length === 1);
  const fault = documentedFault('postgres', 'a user who may not use the tables of rooms with history');
  await fault.questions(one);
  await assert.rejects(one.io.history('room').read(), { name: 'OutageError' });
  for (const statement of documentedTables('socket_io_streams', 'socket_io_events')) await admin.query(statement);
  await until(t, () => one.logs.some(line => /^INFO .*allows statements for rooms with history again$/.test(line)));
  await until(t, () => heard.at(-1) === 'gap');
  one.io.to('room').emit('said', 'with a table');
  await until(t, () => heard.length === 3);
  assert.deepEqual(heard, ['without a table', 'gap', 'with a table']);
  fault.log(one.logs);

  await admin.query('BEGIN');
  t.after(async () => admin.query('ROLLBACK'));
  await admin.query('LOCK TABLE told.socket_io_streams');
  one.io.to('room').emit('said', 'while it is locked');
  await until(t, () => heard.length === 4);
  assert.equal((await one.io.fetchSockets()).length, 1);
  await admin.query('COMMIT');
  await until(t, () => heard.at(-1) === 'gap');
  one.io.to('room').emit('said', 'unlocked');
  await until(t, () => heard.length === 6);
  assert.deepEqual(heard.slice(3), ['while it is locked', 'gap', 'unlocked']);
  assert.ok(!one.logs.some(line => BACK.test(line)), 'there was no outage');
});

/** What docs/backends.md says of tables, for those of this schema. */
function documentedTables(...names: string[]): string[] {
  const statements = readFileSync(join(ROOT, 'docs/backends.md'), 'utf8').match(/(?<=^\| `)(?:CREATE|GRANT) [^`]+/gm) ?? [];
  return statements
    .filter(text => names.some(name => text.includes(name)))
    .map(text => text.replaceAll(/(?<=(?:TABLE|ON) )(?=socket_io_)/g, 'told.').replace('TO chat', 'TO teller'));
}

test('a row that may not be read, which is lost with a line of log; the messages around it are not', async t => {
  watchForCrashes(t);
  await admin.query('CREATE ROLE reader LOGIN');
  const one = await start(t, urlOf('reader'), `tableName: 'unread',`);
  await one.logged(refusal('refuses CREATE TABLE', 'permission denied for schema public'));
  const other = await start(t, postgres.url, `tableName: 'unread',`);
  await exists('unread');
  await admin.query('GRANT INSERT, DELETE, SELECT (id, created_at) ON unread TO reader');
  await admin.query('GRANT USAGE ON SEQUENCE unread_id_seq TO reader');
  const alice = await connect(t, one.url);
  const heard: unknown[] = [];
  alice.onAny((...args: unknown[]) => heard.push(args));
  const last = next(alice, 'last');
  other.io.emit('first');
  other.io.emit('bytes', Buffer.from('unread'));
  other.io.emit('last');
  await last;
  assert.deepEqual(heard, [['first'], ['last']]);
  await one.logged(refusal('refuses SELECT', 'permission denied for'));
  const fault = documentedFault('postgres', 'a row that may not be read');
  await fault.questions(one);
  await admin.query('GRANT SELECT ON unread TO reader');
  await one.logged(/^INFO .*allows SELECT again$/);
  await reaches(t, other, alice, Buffer.from('bytes'));
  fault.log(one.logs);
});

test('a table that is locked when the server boots holds up nothing but large messages, and those only once', async t => {
  watchForCrashes(t);
  const other = await start(t, postgres.url);
  await exists('socket_io_attachments');
  await admin.query('BEGIN');
  t.after(async () => admin.query('ROLLBACK'));
  await admin.query('LOCK TABLE socket_io_attachments');
  const one = await start(t, postgres.url);
  const bob = await connect(t, other.url);
  await reaches(t, one, bob);
  await one.logged(refusal('refuses INSERT'));
  for (let i = 0; i < 10; i++) one.io.emit('bytes', Buffer.from('lost')); // a second each, if each waited
  await reaches(t, one, bob);
  await admin.query('COMMIT');
  await one.logged(/^INFO .*allows INSERT again; messages to other servers lost meanwhile: 10$/);
  await reaches(t, one, bob, Buffer.from('bytes'));
  assert.equal(one.logs.filter(line => line.startsWith('ERROR')).length, 1, one.logs.join('\n'));
});

test('a table that is locked while the app runs, which costs the messages that need it and holds up no others', async t => {
  watchForCrashes(t);
  const options = `tableName: 'locked',`;
  const [one, other] = [await start(t, postgres.url, options), await start(t, postgres.url, options)];
  const bob = await connect(t, other.url);
  await reaches(t, one, bob, Buffer.from('bytes')); // there is a table
  const settled = next(bob, 'settled'); // and all that was sent has been read
  one.io.emit('settled');
  await settled;
  const locker = new Client(postgres.url);
  await locker.connect();
  t.after(async () => locker.end());
  await locker.query('BEGIN');
  await locker.query('LOCK TABLE locked');
  const last = next(bob, 'last');
  await admin.query(`NOTIFY "socket.io#/", '{"attachmentId":"1"}'`); // of a row that is locked
  one.io.emit('bytes', Buffer.from('lost'));
  one.io.emit('last');
  await one.logged(refusal('refuses INSERT', 'pg_locks', 'INSERT locked: canceling statement due to lock timeout'));
  await other.logged(refusal('refuses SELECT', 'pg_locks', 'SELECT locked: canceling statement due to lock timeout'));
  await last;
  await locker.query('DROP TABLE locked'); // which is made again
  await locker.query('COMMIT');
  await one.logged(/^INFO .*allows INSERT again; messages to other servers lost meanwhile: 1$/);
  await reaches(t, one, bob, Buffer.from('bytes'));
  documentedFault('postgres', 'a table that is locked while the app runs').log(one.logs);
});

test('a table that could not be tried because the connection was lost meanwhile is tried later', async t => {
  watchForCrashes(t);
  await admin.query('CREATE TABLE early (id bigserial UNIQUE, created_at timestamptz DEFAULT NOW(), payload bytea)');
  await admin.query('CREATE SEQUENCE tried');
  const end = `BEGIN IF nextval('tried') = 1 THEN PERFORM pg_terminate_backend(pg_backend_pid()); END IF; RETURN NEW; END`;
  await admin.query(`CREATE FUNCTION end_first() RETURNS trigger LANGUAGE plpgsql AS $$ ${end} $$`);
  await admin.query('CREATE TRIGGER early BEFORE INSERT ON early FOR EACH ROW EXECUTE FUNCTION end_first()');
  const { logged } = await start(t, postgres.url, `tableName: 'early',`);
  await logged(/^ERROR .*IO_DATABASE_DOWN/);
  await until(t, async () => (await admin.query('SELECT 1 FROM tried WHERE last_value > 1')).rowCount !== 0);
});

test('a plain Socket.IO server that reads a bigint as a number, whose messages with bytes arrive', async t => {
  watchForCrashes(t);
  const one = await start(t, postgres.url);
  const alice = await connect(t, one.url);
  const getTypeParser = (oid: number, format: string): unknown => (oid === 20 ? Number : types.getTypeParser(oid, format));
  const pool = new Pool({ connectionString: postgres.url, types: { getTypeParser } });
  const plain = new Server().adapter(createAdapter(pool)).of('/');
  // it hears: its adapter would keep a connection that is not listening yet when it is closed, and the pool would wait for that for ever
  await repeatUntil(t, () => one.io.serverSideEmit('hello'), next(plain, 'hello'));
  const arrived = next(alice, 'bytes');
  plain.emit('bytes', Buffer.from('here'));
  assert.deepEqual(await arrived, [Buffer.from('here')]);
  await plain.adapter.close();
  await pool.end();
});

for (const [what, { role, ...sql }] of Object.entries({
  'a wrong password': {
    role: 'secretive:wrong',
    before: `CREATE ROLE secretive LOGIN PASSWORD 'right'`,
    words: 'password authentication failed',
    remedy: 'user and the password',
    correct: `ALTER ROLE secretive PASSWORD 'wrong'`,
  },
  'too many connections': {
    role: 'crowded',
    before: 'CREATE ROLE crowded LOGIN CONNECTION LIMIT 0',
    words: 'too many connections for role',
    remedy: 'max_connections',
    correct: 'ALTER ROLE crowded CONNECTION LIMIT -1',
  },
})) {
  test(`PostgreSQL: ${what}, one line with PostgreSQL's words and what to do; corrected later, it hears and is heard`, async t => {
    watchForCrashes(t);
    await admin.query(sql.before);
    const one = await start(t, urlOf(role));
    const other = await start(t, postgres.url);
    const [alice, bob] = [await connect(t, one.url), await connect(t, other.url)];
    await one.logged(refusal('refuses connections', sql.remedy, sql.words));
    const fault = documentedFault('postgres', `PostgreSQL: ${what}`);
    await fault.emits(one, bob);
    await fault.questions(one);
    await exists('socket_io_attachments');
    await admin.query('GRANT INSERT, SELECT, DELETE ON socket_io_attachments TO PUBLIC');
    await admin.query('GRANT USAGE ON SEQUENCE socket_io_attachments_id_seq TO PUBLIC');
    await admin.query(sql.correct);
    assert.match(await one.logged(BACK), /is back; messages to other servers lost meanwhile: 1$/);
    await Promise.all([reaches(t, one, bob), reaches(t, other, alice)]);
    fault.log(one.logs);
    assert.equal(one.logs.filter(line => line.startsWith('ERROR')).length, 1, one.logs.join('\n'));
  });
}

test('PostgreSQL: no connection that is left, of all that it allows; once there is one, the server is back', async t => {
  watchForCrashes(t);
  await admin.query('CREATE ROLE late LOGIN');
  const held: Client[] = [];
  const release = async (): Promise<unknown> => Promise.all(held.splice(0).map(async client => client.end()));
  t.after(release);
  const holdAnother = async (): Promise<void> => {
    const client = new Client(urlOf('late'));
    await client.connect();
    held.push(client);
  };
  await assert.rejects(async () => {
    for (;;) await holdAnother();
  }, /connection slots|too many clients/);
  const one = await start(t, urlOf('late'));
  await one.logged(refusal('refuses connections', 'raise its max_connections', 'connection slots|too many clients'));
  const fault = documentedFault('postgres', 'PostgreSQL: no connection that is left');
  await fault.questions(one);
  await release();
  await one.logged(BACK);
  assert.deepEqual(await one.io.fetchSockets(), []);
  fault.log(one.logs);
});

test('PostgreSQL that has become read-only, where large messages and those with bytes are lost and counted, and all others arrive', async t => {
  watchForCrashes(t);
  const [one, other] = [await start(t, postgres.url), await start(t, postgres.url)];
  const bob = await connect(t, other.url);
  await reaches(t, one, bob, Buffer.from('bytes'));
  t.after(async () => setReadOnly(false));
  await setReadOnly(true);
  const refused = refusal('refuses INSERT', 'if they contain bytes', 'default_transaction_read_only', 'read-only transaction');
  await repeatUntil(t, () => one.io.emit('bytes', Buffer.from('lost')), one.logged(refused)); // connections learn of it one after the other
  const fault = documentedFault('postgres', 'PostgreSQL that has become read-only');
  await fault.questions(one);
  await reaches(t, one, bob);
  await setReadOnly(false);
  await one.logged(/^INFO .*allows INSERT again; messages to other servers lost meanwhile: \d+$/);
  await reaches(t, one, bob, Buffer.from('bytes'));
  fault.log(one.logs);
  assert.equal(one.logs.filter(line => line.startsWith('ERROR')).length, 1, one.logs.join('\n'));
});

test('more than 32 MB that wait for PostgreSQL, where what is more does not reach other servers, and is counted', async t => {
  watchForCrashes(t);
  const [one, other] = [await start(t, postgres.url), await start(t, postgres.url)];
  const bob = await connect(t, other.url);
  await reaches(t, one, bob);
  let arrived = 0;
  bob.on('part', () => arrived++);
  const part = Buffer.alloc(1024 * 1024);
  for (let n = 0; n < 40; n++) one.io.emit('part', part);
  await one.logged(refusal('messages more slowly than this server sends them', 'emit less, or use Redis', 'more than 32 MB wait'));
  const line = await one.logged(/^INFO .* all messages again/);
  const last = next(bob, 'last');
  one.io.emit('last');
  await last;
  const [, lost] = /; messages to other servers lost meanwhile: (\d+)/.exec(line) ?? [];
  assert.equal(arrived + Number(lost), 40);
  assert.ok(arrived >= 32, `${arrived} have arrived`);
  documentedFault('postgres', 'more than 32 MB that wait for PostgreSQL').log(one.logs);
  assert.equal(one.logs.filter(line => line.startsWith('ERROR')).length, 1, one.logs.join('\n'));
});

test('a standby, logged as an error; once it is the primary, servers reach each other', async t => {
  watchForCrashes(t);
  const primary = await newPostgres(t);
  await primary.start();
  const standby = await primary.newStandby();
  await standby.start();
  const [one, other] = [await start(t, standby.url), await start(t, standby.url)];
  const bob = await connect(t, other.url);
  await one.logged(refusal('is a standby, which delivers no messages', 'primary', 'pg_is_in_recovery'));
  const fault = documentedFault('postgres', 'a standby');
  await fault.emits(one, bob);
  await fault.questions(one);
  const operator = new Client(standby.url);
  await operator.connect();
  await operator.query('SELECT pg_promote()');
  await operator.end();
  await one.logged(BACK);
  await reaches(t, one, bob);
  fault.log(one.logs);
  assert.equal(one.logs.filter(line => line.startsWith('ERROR')).length, 1, one.logs.join('\n'));
});

test('PgBouncer in transaction mode, which delivers nothing: that is said, with what to do; in session mode all arrives', async t => {
  watchForCrashes(t);
  const bouncer = await postgres.startPgBouncer('transaction');
  const one = await start(t, bouncer.url);
  const other = await start(t, postgres.url);
  const [alice, bob] = [await connect(t, one.url), await connect(t, other.url)];
  await one.logged(refusal('accepts LISTEN but delivers nothing', 'PgBouncer', 'pool_mode = session'));
  await reaches(t, one, bob);
  const fault = documentedFault('postgres', 'PgBouncer in transaction mode');
  await fault.questions(one);
  await bouncer.restart('session');
  await one.logged(/^INFO .*delivers messages again/);
  await reaches(t, other, alice);
  assert.equal((await one.io.fetchSockets()).length, 2);
  fault.log(one.logs.filter(line => !line.includes('IO_DATABASE_DOWN'))); // of the restart
});

test('a connection that PostgreSQL would end when it is idle, which stays, as does the listening one', async t => {
  watchForCrashes(t);
  await admin.query('CREATE ROLE idle LOGIN');
  await admin.query('ALTER ROLE idle SET idle_session_timeout = 2000');
  const { logs } = await start(t, urlOf('idle'));
  const kept = `SELECT 1 FROM pg_stat_activity WHERE usename = 'idle' AND now() - backend_start > '3 s' AND query IN ('SELECT 1')`;
  await until(t, async () => (await admin.query(kept)).rowCount !== 0);
  documentedFault('postgres', 'a connection that PostgreSQL would end when it is idle').log(logs);
});

test('a listening connection that dies without a word, which is replaced', async t => {
  watchForCrashes(t);
  await admin.query('CREATE ROLE mute LOGIN');
  const one = await start(t, urlOf('mute'));
  const other = await start(t, postgres.url);
  const alice = await connect(t, one.url);
  await reaches(t, other, alice);
  const { rows } = await admin.query(`SELECT pid FROM pg_stat_activity WHERE usename = 'mute' AND query ~ '^LISTEN|^SELECT 1$'`);
  const pid = Number(rows[0]?.['pid']);
  process.kill(pid, 'SIGSTOP');
  t.after(() => process.kill(pid, 'SIGCONT'));
  await one.logged(/^ERROR .*IO_DATABASE_DOWN/);
  await one.logged(BACK);
  await reaches(t, other, alice);
  documentedFault('postgres', 'a listening connection that dies without a word').log(one.logs);
});

test('names of namespaces are no SQL, and may be longer than a channel', async t => {
  watchForCrashes(t);
  const router = `module.exports = app => { app.io.of(/^\\/any/); };`;
  const [one, other] = [await start(t, postgres.url, '', router), await start(t, postgres.url, '', router)];
  for (const name of [`any"; SELECT 1; --`, `any-${'大'.repeat(40)}`]) {
    const [alice, bob] = [await connect(t, `${one.url}/${name}`), await connect(t, `${other.url}/${name}`)];
    await reaches(t, one, bob, '', `/${name}`);
    await reaches(t, other, alice, '', `/${name}`);
  }
  for (const { logs } of [one, other])
    assert.deepEqual(
      logs.filter(line => /^(ERROR|WARN)/.test(line)),
      [],
    );
});

/** For all connections, also those that are open. */
async function setReadOnly(isReadOnly: boolean): Promise<void> {
  await admin.query(`ALTER SYSTEM SET default_transaction_read_only = ${isReadOnly ? 'on' : 'off'}`);
  await admin.query('SELECT pg_reload_conf()');
}

/** Resolves once a server has made the table: the boot does not wait for it. */
async function exists(table: string): Promise<void> {
  while ((await admin.query(`SELECT 1 FROM pg_class WHERE relname = '${table}'`)).rowCount === 0);
}

function urlOf(role: string): string {
  return postgres.url.replace('test@', `${role}@`);
}

async function start(t: TestContext, url: string, options = '', router = ''): Promise<RunningApp> {
  const config = `exports.io = { adapter: { name: 'postgres', connection: '${url}', ${options} } };`;
  return startApp(t, { 'config/config.default.js': config, ...(router && { 'app/router.js': router }) });
}

/** Emits, again and again, until one arrives. */
async function reaches(t: TestContext, { io }: RunningApp, client: SocketClient, value: unknown = '', nsp = '/'): Promise<void> {
  await repeatUntil(t, () => io.of(nsp).emit('reaches', value), next(client, 'reaches'));
}
