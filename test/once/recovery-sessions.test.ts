/** What a process keeps for clients that come back. Time is mocked: it is about minutes. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { Server, type Socket } from 'socket.io';
import { Sessions } from '../support/parts';

const SECOND = 1000;
const PID = 'secret';
const GONE = { sid: 'a', pid: PID, rooms: ['a', 'lobby'], data: {} };
const LIMITS = { namespaceBytes: 1e6, bytes: 1e6, sessions: 100 };

interface Stage {
  readonly sessions: Sessions;
  readonly server: Server;
  /** Emits an event, and returns its offset. */
  emit(text: string, room?: string, isVolatile?: boolean): string;
  /** The client connects, and has been sent these events. */
  connect(...sent: string[]): Socket;
  /** What the client has missed, if it comes back with this offset. */
  missed(offset: string): string[] | undefined;
}

type Sessions = InstanceType<typeof Sessions>;
type Backplane = NonNullable<ConstructorParameters<typeof Sessions>[1]>;

/** Emits are kept for 10 s, 2 s more for a heartbeat, and 10 s more for middleware. */
function create(
  t: TestContext,
  { limits = LIMITS, backplane, server }: { limits?: typeof LIMITS; backplane?: object; server?: Server } = {},
): Stage {
  if (!server) t.mock.timers.enable({ apis: ['Date', 'setTimeout'] });
  const io =
    server ?? new Server({ connectionStateRecovery: { maxDisconnectionDuration: 10 * SECOND }, pingInterval: SECOND, pingTimeout: SECOND });
  const sessions = new Sessions(io.of(`/${Math.random()}`), backplane as Backplane | undefined, limits);
  let count = 0;
  t.after(() => sessions.close());
  return {
    sessions,
    server: io,
    emit(text, room, isVolatile = false) {
      const offset = `~${count++}`;
      const opts = { rooms: new Set(room === undefined ? [] : [room]), except: new Set<string>() };
      sessions.add({ at: Date.now(), offset, frames: isVolatile ? undefined : [text], opts });
      return offset;
    },
    connect(...sent) {
      const socket = { id: 'a', data: {} } as unknown as Socket;
      sessions.start(
        socket,
        sent.map(offset => ({ offset, frames: [offset] })),
      );
      return socket;
    },
    missed(offset) {
      const found = sessions.find(PID, offset, undefined);
      return found && sessions.take(PID, offset, found.mark, found.rooms)?.missed.flatMap(({ frames }) => (frames ?? []) as string[]);
    },
  };
}

test('a client that was quiet for longer than events are kept gets what it has missed since it went', t => {
  const { sessions, emit, connect, missed } = create(t);
  const socket = connect();
  const offset = emit('heard');
  for (let minute = 0; minute < 5; minute++) {
    t.mock.timers.tick(60 * SECOND);
    emit('elsewhere', 'another room');
  }
  sessions.persist(GONE, socket);
  emit('missed', 'lobby');
  t.mock.timers.tick(9 * SECOND);
  assert.deepEqual(missed(offset), ['missed']);
});

test('what a client may have missed before its heartbeat failed is still there when it comes back at the last moment', t => {
  const { sessions, emit, connect, missed } = create(t);
  const socket = connect();
  const offset = emit('heard');
  emit('missed', 'lobby'); // into a connection that is dead
  t.mock.timers.tick(2 * SECOND);
  sessions.persist(GONE, socket);
  t.mock.timers.tick(10 * SECOND); // what is too old has been forgotten
  emit('missed, too', 'lobby');
  assert.deepEqual(missed(offset), ['missed', 'missed, too']);
});

test('an offset of before the client connected counts as none, and so does one that this server does not know', t => {
  const { sessions, emit, connect, missed } = create(t);
  const old = emit('before');
  const socket = connect();
  emit('missed');
  for (const offset of [old, '', 'x-1', `${old}99`, 'another server-0', 'gap']) {
    sessions.persist(GONE, socket);
    assert.deepEqual(missed(offset), ['missed'], offset);
  }
});

test('a session is for one client, and for no longer than the limit', t => {
  const { sessions, connect, missed } = create(t);
  const socket = connect();
  sessions.persist(GONE, socket);
  t.mock.timers.tick(8 * SECOND);
  assert.deepEqual(missed(''), []);
  assert.equal(missed(''), undefined);
  sessions.persist(GONE, socket);
  t.mock.timers.tick(11 * SECOND);
  assert.equal(missed(''), undefined);
});

test('a session that was found stays for as long as middleware runs', t => {
  const { sessions, connect } = create(t);
  sessions.persist(GONE, connect());
  t.mock.timers.tick(9 * SECOND);
  const found = sessions.find(PID, '', undefined);
  assert.deepEqual(found?.rooms, GONE.rooms);
  t.mock.timers.tick(5 * SECOND);
  assert.deepEqual(sessions.take(PID, '', found?.mark ?? 0, GONE.rooms)?.missed, []);
});

test('of the events that a client was sent when it connected, it gets those again that it has not got, in the same order', t => {
  const { sessions, emit, connect, missed } = create(t);
  emit('logged before, and missed elsewhere');
  const socket = connect('two', 'one', 'three'); // another process had them in this order
  emit('four', 'lobby');
  for (const [offset, rest] of [
    ['two', ['one', 'three', 'four']],
    ['one', ['three', 'four']],
    ['three', ['four']],
    ['of before', ['two', 'one', 'three', 'four']],
  ] as const) {
    sessions.persist(GONE, socket);
    assert.deepEqual(missed(offset), rest, offset);
  }
});

test('what is emitted while middleware runs comes after what was missed before, and only to the rooms that the client has then', t => {
  const { sessions, emit, connect } = create(t);
  sessions.persist(GONE, connect());
  emit('before', 'lobby');
  const mark = sessions.find(PID, '', undefined)?.mark ?? 0;
  emit('meanwhile', 'lobby');
  emit('to it', 'a');
  assert.deepEqual(
    sessions.take(PID, '', mark, ['a'])?.missed.map(({ frames }) => frames),
    [['before'], ['to it']],
  );
});

test('of the rooms of a client, those at the moment of an event count', t => {
  const { sessions, emit, connect, missed } = create(t);
  const socket = connect();
  const come = (room: string): void => sessions.join(room, GONE.sid);
  const go = (room: string): void => sessions.leave(room, GONE.sid);
  come('game');
  const offset = emit('heard');
  emit('before it came', 'lobby');
  come('lobby');
  emit('you are out', 'game');
  go('game');
  emit('after it went', 'game');
  emit('in the lobby', 'lobby');
  come('game');
  emit('it is back', 'game');
  go('game');
  sessions.persist(GONE, socket);
  sessions.end(socket);
  go('lobby'); // as every socket that ends
  emit('while it is away', 'lobby');
  assert.deepEqual(missed(offset), ['you are out', 'in the lobby', 'it is back', 'while it is away']);
});

test('a room that the client joins or leaves while its new connection waits counts from that moment', t => {
  const { sessions, emit, connect } = create(t);
  const socket = connect();
  for (const room of ['a', 'lobby', 'game']) sessions.join(room, GONE.sid);
  emit('before it came', 'team');
  sessions.persist({ ...GONE, rooms: ['a', 'lobby', 'game'] }, socket);
  const mark = sessions.find(PID, '', undefined)?.mark ?? 0;
  emit('not yet', 'team');
  sessions.join('team', GONE.sid);
  emit('now', 'team');
  emit('still', 'game');
  sessions.leave('game', GONE.sid);
  emit('no more', 'game');
  emit('left by middleware', 'lobby');
  sessions.persist({ ...GONE, rooms: ['a', 'lobby', 'team'] }, socket);
  assert.deepEqual(
    sessions.take(PID, '', mark, ['a', 'game'])?.missed.map(({ frames }) => frames),
    [['now'], ['still']],
  );
});

test('of a client that leaves rooms without end, so much is kept, and it is a new one if it needs more', t => {
  const { sessions, emit, connect, missed } = create(t);
  const socket = connect();
  const offset = emit('heard');
  let recent = '';
  for (let count = 0; count < 1100; count++) {
    sessions.join('game', GONE.sid);
    recent = emit('to nobody', 'elsewhere');
    sessions.leave('game', GONE.sid);
  }
  sessions.persist(GONE, socket);
  assert.equal(missed(offset), undefined);
  assert.deepEqual(missed(recent), []);
});

test('a volatile event has an offset, since the client takes any text at its end for one, and is not sent again', t => {
  const { sessions, emit, connect, missed } = create(t);
  const socket = connect();
  emit('heard');
  const offset = emit('also heard', 'lobby', true);
  sessions.persist(GONE, socket);
  emit('missed', 'lobby');
  emit('missed, too, but not kept', 'lobby', true);
  assert.deepEqual(missed(offset), ['missed']);
});

test('events that are too many go, the oldest first, and a client that needs one of them is a new one', t => {
  const { sessions, emit, connect, missed } = create(t, { limits: { ...LIMITS, namespaceBytes: 5000 } });
  const socket = connect();
  sessions.persist(GONE, socket);
  for (let count = 0; count < 100; count++) emit('many', 'lobby');
  assert.equal(missed(''), undefined);
  const again = connect();
  sessions.persist(GONE, again);
  emit('few', 'lobby');
  assert.deepEqual(missed(''), ['few']);
});

test('the rooms of an event count as well', t => {
  const { sessions, connect, missed } = create(t, { limits: { ...LIMITS, namespaceBytes: 5000 } });
  sessions.persist(GONE, connect());
  const rooms = new Set(Array.from({ length: 100 }, (_, index) => `room ${index}`));
  sessions.add({ at: Date.now(), offset: '~1', frames: ['x'], opts: { rooms, except: new Set() } });
  assert.equal(missed(''), undefined);
});

test('namespaces share the limits of a worker: the oldest events and the longest absent clients of all go first', t => {
  const limits = { namespaceBytes: 1e6, bytes: 10_000, sessions: 3 };
  const one = create(t, { limits });
  const other = create(t, { limits, server: one.server });
  one.sessions.persist(GONE, one.connect());
  one.emit('old', 'lobby');
  t.mock.timers.tick(SECOND);
  other.sessions.persist(GONE, other.connect());
  for (let count = 0; count < 38; count++) other.emit('new', 'lobby');
  assert.equal(other.missed('')?.length, 38);
  assert.equal(one.missed(''), undefined);

  one.sessions.persist(GONE, one.connect());
  t.mock.timers.tick(SECOND);
  for (const pid of ['b', 'c', 'd']) other.sessions.persist({ ...GONE, pid }, undefined);
  assert.equal(one.missed(''), undefined);
});

test('a client whose absence, or a part of it, fell into an outage is a new one; later ones are recovered', t => {
  const backplane = { losses: { count: 0 }, isDown: false };
  const { sessions, emit, connect, missed } = create(t, { backplane });
  const socket = connect();
  sessions.persist(GONE, socket);
  Object.assign(backplane, { losses: { count: 1 }, isDown: true });
  assert.equal(missed(''), undefined, 'while it lasts');
  backplane.isDown = false;
  assert.equal(missed(''), undefined);
  const later = connect();
  sessions.persist(GONE, later);
  emit('missed', 'lobby');
  assert.deepEqual(missed(''), ['missed']);
});

test('after a while, nothing is kept, and there is no timer', t => {
  const { sessions, emit, connect } = create(t);
  sessions.persist(GONE, connect('sent'));
  emit('missed');
  t.mock.timers.tick(120 * SECOND);
  assert.deepEqual([sessions.log.isEmpty, sessions.hasGone, sessions.oldestSession], [true, false, Number.POSITIVE_INFINITY]);
});
