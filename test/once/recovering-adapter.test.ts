/** What the adapter in memory keeps for clients that come back. Time is mocked: it is about minutes. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { type Namespace, Server } from 'socket.io';
import { RecoveringAdapter } from '../support/parts';

const SECOND = 1000;

/** An adapter that keeps what is emitted for 10 s, and 2 s more for a heartbeat. */
function create(t: TestContext): {
  adapter: InstanceType<typeof RecoveringAdapter>;
  emit(text: string, room?: string, flags?: { volatile: boolean }): string;
} {
  t.mock.timers.enable({ apis: ['Date', 'setTimeout'] });
  const io = new Server({ connectionStateRecovery: { maxDisconnectionDuration: 10 * SECOND }, pingInterval: SECOND, pingTimeout: SECOND });
  const nsp: Namespace = io.of('/');
  const adapter = new RecoveringAdapter(nsp);
  t.after(() => adapter.close());
  return {
    adapter,
    emit(text, room, flags = { volatile: false }) {
      const packet = { type: 2, nsp: '/', data: ['said', text] };
      adapter.broadcast(packet, { rooms: new Set(room === undefined ? [] : [room]), except: new Set(), flags });
      return String(packet.data.at(-1));
    },
  };
}

const GONE = { sid: 'a', pid: 'secret', rooms: ['a', 'lobby'], data: {} };

test('a client that was quiet for longer than emits are kept gets what it has missed since it went', async t => {
  const { adapter, emit } = create(t);
  adapter.admit('a', 0);
  const offset = emit('heard');
  for (let minute = 0; minute < 5; minute++) {
    t.mock.timers.tick(60 * SECOND);
    emit('elsewhere', 'another room');
  }
  adapter.persistSession(GONE);
  emit('missed', 'lobby');
  t.mock.timers.tick(9 * SECOND);
  const session = await adapter.restoreSession('secret', offset);
  assert.deepEqual(
    session.missedPackets.map(data => data[1]),
    ['missed'],
  );
});

test('what a client may have missed before its heartbeat failed is still there when it comes back at the last moment', async t => {
  const { adapter, emit } = create(t);
  adapter.admit('a', 0);
  const offset = emit('heard');
  t.mock.timers.tick(49 * SECOND);
  emit('missed', 'lobby'); // into a connection that is dead
  t.mock.timers.tick(2 * SECOND);
  adapter.persistSession(GONE);
  t.mock.timers.tick(9 * SECOND); // after a minute what is too old is forgotten
  const session = await adapter.restoreSession('secret', offset);
  assert.deepEqual(
    session.missedPackets.map(data => data[1]),
    ['missed'],
  );
});

test('an offset of before the client connected counts as none, and so does one that this server has not made', async t => {
  const { adapter, emit } = create(t);
  const old = emit('before');
  adapter.admit('a', 0);
  emit('missed');
  for (const offset of [old, '', 'x-1', `${old}99`, 'another server-0']) {
    adapter.persistSession(GONE);
    const session = await adapter.restoreSession('secret', offset);
    assert.deepEqual(
      session.missedPackets.map(data => data[1]),
      ['missed'],
      offset,
    );
  }
});

test('a session is for one client, and for no longer than the limit; one that is put back keeps its time', async t => {
  const { adapter } = create(t);
  adapter.persistSession(GONE);
  t.mock.timers.tick(8 * SECOND);
  const session = await adapter.restoreSession('secret', '');
  assert.equal(await adapter.restoreSession('secret', ''), null);
  adapter.persistSession(session);
  t.mock.timers.tick(3 * SECOND);
  assert.equal(await adapter.restoreSession('secret', ''), null);
});

test('what waited for a client while its middleware ran counts as emitted after it had connected', async t => {
  const { adapter, emit } = create(t);
  emit('before');
  emit('welcome', 'a');
  adapter.admit('a', 1);
  adapter.persistSession(GONE);
  const session = await adapter.restoreSession('secret', '');
  assert.deepEqual(
    session.missedPackets.map(data => data[1]),
    ['welcome'],
  );
});

test('a volatile emit has an offset, since the client takes any text at its end for one, and is not sent again', async t => {
  const { adapter, emit } = create(t);
  adapter.admit('a', 0);
  emit('heard');
  const offset = emit('also heard', 'lobby', { volatile: true });
  adapter.persistSession(GONE);
  emit('missed', 'lobby');
  emit('missed, too, but not kept', 'lobby', { volatile: true });
  const session = await adapter.restoreSession('secret', offset);
  assert.deepEqual(
    session.missedPackets.map(data => data[1]),
    ['missed'],
  );
});

test('an emit that wants an answer is not sent again: the answer would reach nobody', async t => {
  const { adapter, emit } = create(t);
  adapter.admit('a', 0);
  adapter.persistSession(GONE);
  const question = { type: 2, nsp: '/', id: 1, data: ['sure', 'really'] };
  adapter.broadcast(question, { rooms: new Set(['lobby']), except: new Set() });
  assert.deepEqual(question.data, ['sure', 'really'], 'it has no offset');
  emit('missed', 'lobby');
  const session = await adapter.restoreSession('secret', '');
  assert.deepEqual(
    session.missedPackets.map(data => data[1]),
    ['missed'],
  );
});
