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
  const come = (room: string): void => sessions.visits.join(room, GONE.sid);
  const go = (room: string): void => sessions.visits.leave(room, GONE.sid);
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
  for (const room of ['a', 'lobby', 'game']) sessions.visits.join(room, GONE.sid);
  emit('before it came', 'team');
  sessions.persist({ ...GONE, rooms: ['a', 'lobby', 'game'] }, socket);
  const mark = sessions.find(PID, '', undefined)?.mark ?? 0;
  emit('not yet', 'team');
  sessions.visits.join('team', GONE.sid);
  emit('now', 'team');
  emit('still', 'game');
  sessions.visits.leave('game', GONE.sid);
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
    sessions.visits.join('game', GONE.sid);
    recent = emit('to nobody', 'elsewhere');
    sessions.visits.leave('game', GONE.sid);
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

test('what a client was sent at its return counts, and is given up with the oldest: the client is a new one if it has not got all of it', async t => {
  const large = 'x'.repeat(2000);
  const [one, two] = [`${large}1`, `${large}2`];
  for (const [title, offset, later, expected] of [
    ['while there is room', one, 2, [two, large, large]],
    ['when there is none', one, 4, undefined],
    ['when there is none, and it has got an event since', '~0', 4, [large, large, large]],
  ] as const) {
    await t.test(title, t => {
      const { sessions, emit, connect, missed } = create(t, { limits: { ...LIMITS, namespaceBytes: 10_700 } });
      const socket = connect(one, two);
      t.mock.timers.tick(1);
      for (let count = 0; count < later; count++) emit(large, 'lobby');
      sessions.persist(GONE, socket);
      sessions.end(socket);
      assert.deepEqual(missed(offset), expected);
    });
  }
});

test('what clients have been sent that came back to this process counts once more than the log, however many they are', t => {
  const { sessions, emit, connect } = create(t, { limits: { ...LIMITS, namespaceBytes: 50_000 } });
  const pids = Array.from({ length: 20 }, (_, index) => `client ${index}`);
  for (const pid of pids) sessions.persist({ ...GONE, pid }, connect());
  emit('x'.repeat(10_000), 'lobby');
  for (const pid of pids) {
    const taken = sessions.take(pid, '', sessions.log.next, []);
    assert.equal(taken?.missed.length, 1, pid);
    sessions.start({ id: pid } as Socket, taken.missed);
  }
  assert.ok(sessions.bytes > 20_000 && sessions.bytes < 25_000, String(sessions.bytes));
});

test('texts of any length and any characters are what they were, also if others take the place of those that were dropped', t => {
  const { sessions, emit, connect, missed } = create(t, { limits: { ...LIMITS, namespaceBytes: 3e6, bytes: 3e6 } });
  const texts = ['x', 'é', '中文', '😀', '\ud800'].flatMap(text =>
    [511, 600, 5000, 150_000, 300_000].map(length => text.repeat(length / text.length)),
  );
  for (let round = 0; round < 5; round++) {
    for (const text of texts) emit(text, 'lobby');
    emit('x'.repeat(round * 1000), 'lobby');
    sessions.persist(GONE, connect());
    const latest = texts.slice(0, 10 + round).map(text => text + round);
    for (const text of latest) emit(text, 'lobby');
    const got = missed('');
    assert.ok(got?.every((text, index) => text === latest[index]) && got.length === latest.length, `round ${round}`);
  }
});

test('a text keeps its place until it is dropped, wherever those before it end', t => {
  const { sessions, emit, connect, missed } = create(t);
  for (let round = 0; round < 100; round++) {
    sessions.persist(GONE, connect());
    const texts = Array.from({ length: 30 + round }, (_, index) => `${round}.${index}.`.repeat(100 + ((round * 31 + index * 17) % 700)));
    for (const text of texts) emit(text, 'lobby');
    const got = missed('');
    assert.ok(got?.every((text, index) => text === texts[index]) && got.length === texts.length, `round ${round}`);
  }
});

test('what is handed over stays as it was when the log goes on', t => {
  const { sessions, emit, connect } = create(t, { limits: { ...LIMITS, namespaceBytes: 50_000 } });
  const texts = ['1', '2'].map(text => text.repeat(10_000));
  sessions.persist(GONE, connect());
  for (const text of texts) emit(text, 'lobby');
  const [bequest] = sessions.handOver();
  for (let count = 0; count < 100; count++) emit('x'.repeat(10_000), 'lobby');
  assert.deepEqual(
    bequest?.past.entries.map(({ frames }) => frames),
    texts.map(text => [text]),
  );
});

test('the rooms and the data of a client that has gone count', async t => {
  const text = 'x'.repeat(300);
  const loop: unknown[] = [];
  loop.push(loop, { text: [text] });
  const thrower = {
    get bad(): never {
      throw new Error('of the app');
    },
  };
  const shared = new (class {
    text = text.repeat(1000);
  })();
  const cases: Record<string, readonly [gone: Partial<typeof GONE>, least: number, most: number]> = {
    nothing: [{}, 500, 800],
    'a room': [{ rooms: [text] }, 800, 1100],
    'an object': [{ data: { text } }, 800, 1100],
    'an array': [{ data: [text] }, 800, 1100],
    'a map': [{ data: new Map([[1, text]]) }, 800, 1100],
    'a set': [{ data: new Set([text]) }, 800, 1100],
    bytes: [{ data: { bytes: Buffer.alloc(300) } }, 800, 1100],
    'what contains itself': [{ data: loop }, 800, 1200],
    'a list of numbers': [{ data: Array(40).fill(0) }, 800, 1200],
    'a getter that throws': [{ data: thrower }, 500, 800],
    'an instance of a class, which others may share': [{ data: { shared } }, 500, 800],
    'a large list': [{ data: Array.from({ length: 100_000 }, (_, index) => [index]) }, 800_000, 1e6],
  };
  for (const [title, [gone, least, most]] of Object.entries(cases)) {
    await t.test(title, t => {
      const { sessions } = create(t);
      sessions.persist({ ...GONE, ...gone }, undefined);
      assert.ok(sessions.bytes >= least && sessions.bytes < most, String(sessions.bytes));
      sessions.close();
      assert.equal(sessions.bytes, 0);
    });
  }
});

test('what a client had not got when its new connection ended counts', t => {
  const { sessions, missed } = create(t, { limits: { ...LIMITS, namespaceBytes: 5000 } });
  sessions.putBack(GONE, [{ offset: '~1', frames: ['x'.repeat(1000)] }]);
  for (let count = 0; count < 3; count++) {
    t.mock.timers.tick(1);
    sessions.putBack({ ...GONE, pid: `${count}` }, [{ offset: '~1', frames: ['x'.repeat(1000)] }]);
  }
  assert.equal(missed(''), undefined);
});

test('namespaces share the limits of a worker: the oldest events and the longest absent clients of all go first', t => {
  const limits = { namespaceBytes: 1e6, bytes: 16_500, sessions: 3 };
  const one = create(t, { limits });
  const other = create(t, { limits, server: one.server });
  one.sessions.persist(GONE, one.connect());
  one.emit('old', 'lobby');
  t.mock.timers.tick(SECOND);
  other.sessions.persist(GONE, other.connect());
  for (let count = 0; count < 42; count++) other.emit('new', 'lobby');
  assert.equal(other.missed('')?.length, 42);
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
  const { bytes, hasGone, oldest, oldestSession } = sessions;
  assert.deepEqual([bytes, hasGone, oldest, oldestSession], [0, false, Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]);
});
