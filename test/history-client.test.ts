/** `history()` of `egg-socket.io/client`, at a server that does what it is told: errors, gaps and events that others have overtaken. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test, type TestContext } from 'node:test';
import { Server, type Socket } from 'socket.io';
import { type Client, newClient, next } from './support/client';
import { history } from './support/parts';
import { until } from './support/until';

interface Question {
  readonly room: string;
  readonly offset: number;
  answer(answer: object): void;
}

interface Scene {
  readonly client: Client;
  /** What its listeners have heard, and `gap`. */
  readonly heard: unknown[];
  readonly questions: Question[];
  /** Sends an event of a room. */
  event(offset: number, what?: unknown, room?: string): void;
  /** Says where the room is. */
  position(offset: number): void;
  /** Sends an event that the server could not keep, or says that it does not know where the room is. */
  lost(what: unknown, room?: string): void;
  /** Resolves when the client has got what was sent. */
  settled(): Promise<unknown>;
}

/** Time in ms until the client asks again, after the first answer that was none. */
const FIRST_RETRY = 200;

const POSITION = { epoch: 'one', key: 'key' };

/** @param prepare is called before `history()` */
async function start(t: TestContext, prepare: (client: Client) => unknown = () => {}): Promise<Scene> {
  const http = createServer();
  const server = new Server(http);
  t.after(() => server.close());
  await new Promise<void>(resolve => http.listen(0, '127.0.0.1', resolve));
  const client = newClient(t, `http://127.0.0.1:${(http.address() as AddressInfo).port}`); // of a server that listens to a port
  const heard: unknown[] = [];
  const questions: Question[] = [];
  prepare(client);
  history(client, { onGap: () => heard.push('gap') });
  client.on('said', what => heard.push(what));
  const connected = next<[Socket]>(server, 'connection');
  const [socket] = await connected;
  socket.on('$io:history', ({ room, offset }: Pick<Question, 'room' | 'offset'>, answer: Question['answer']) =>
    questions.push({ room, offset, answer }),
  );
  let losses = 0;
  return {
    client,
    heard,
    questions,
    event: (offset, what = offset, room = 'room') =>
      void socket.emit('$io:event', { room, ...POSITION, offset }, ...(offset === 0 ? [] : ['said', what])),
    position: offset => void socket.emit('$io:event', { room: 'room', ...POSITION, offset }, null, 'offset of recovery'),
    lost: (what, room = 'room') => {
      const position = { room, epoch: '', offset: 0 };
      if (what === undefined) socket.emit('$io:event', position);
      else socket.emit('$io:event', { ...position, id: `loss ${losses++}` }, 'said', what);
    },
    settled: async () => socket.emitWithAck('settled'),
  };
}

/** Lets the client answer the question of `settled()`. */
function settle({ client }: Scene): void {
  client.on('settled', (done: () => void) => done());
}

const page = (offset: number, events: number[], others: Partial<{ recovered: boolean; more: boolean }> = {}, room = 'room'): object => ({
  recovered: true,
  position: { room, ...POSITION, offset },
  events: events.map(number => [number, null, 'said', number]),
  more: false,
  ...others,
});

test('an event that others have overtaken is asked for, and all are heard in order', async t => {
  const scene = await start(t);
  for (const offset of [0, 3, 2]) scene.event(offset);
  await until(t, () => scene.questions.length === 1);
  assert.deepEqual(scene.heard, []);
  scene.questions[0]?.answer(page(2, [1, 2]));
  await until(t, () => scene.heard.length === 3);
  assert.deepEqual(scene.heard, [1, 2, 3]);
});

test('an error that passes keeps the position and what is held: the client asks again', async t => {
  t.mock.method(globalThis, 'setTimeout', speedUp(globalThis.setTimeout));
  const scene = await start(t);
  for (const offset of [0, 3]) scene.event(offset);
  for (const [index, code] of ['TOO_MANY_EVENTS', 'INTERNAL_SERVER_ERROR', 'TRY_AGAIN'].entries()) {
    await until(t, () => scene.questions.length === index + 1);
    scene.questions[index]?.answer({ error: { code, message: 'later' } });
  }
  await until(t, () => scene.questions.length === 4);
  scene.questions[3]?.answer(page(2, [1, 2]));
  await until(t, () => scene.heard.length === 3);
  assert.deepEqual(scene.heard, [1, 2, 3]);
});

test('a client that comes back while the history cannot be read asks for what it has missed later', async t => {
  t.mock.method(globalThis, 'setTimeout', speedUp(globalThis.setTimeout));
  const scene = await start(t);
  for (const offset of [0, 1]) scene.event(offset);
  scene.lost(undefined);
  for (const [index, answer] of [{ error: { code: 'TRY_AGAIN', message: 'later' } }, page(2, [2])].entries()) {
    await until(t, () => scene.questions.length === index + 1);
    scene.questions[index]?.answer(answer);
  }
  await until(t, () => scene.heard.length === 2);
  assert.deepEqual(scene.heard, [1, 2]);

  settle(scene);
  scene.lost('in an outage');
  scene.lost(undefined); // the gap comes anyway: there is nothing to ask for
  await scene.settled();
  await new Promise(resolve => setTimeout(resolve, 1000)); // sped up, and after a timer of the client
  await scene.settled();
  assert.equal(scene.questions.length, 2);
});

test('a client that is not in the room any more hears what is held, after the gap', async t => {
  const scene = await start(t);
  for (const offset of [0, 3]) scene.event(offset);
  await until(t, () => scene.questions.length === 1);
  scene.questions[0]?.answer({ error: { code: 'NOT_IN_ROOM', message: 'You are not in this room' } });
  await until(t, () => scene.heard.length === 2);
  assert.deepEqual(scene.heard, ['gap', 3]);
});

test('what is held between a gap and what is kept is heard between them', async t => {
  const scene = await start(t);
  for (const offset of [0, 3]) scene.event(offset);
  await until(t, () => scene.questions.length === 1);
  scene.questions[0]?.answer(page(6, [5, 6], { recovered: false }));
  await until(t, () => scene.heard.length === 4);
  assert.deepEqual(scene.heard, ['gap', 3, 5, 6]);
});

test('it asks about one room at a time, and for the next page of what it has missed', async t => {
  const scene = await start(t);
  for (const room of ['room', 'other']) for (const offset of [0, 4]) scene.event(offset, `${room} ${offset}`, room);
  await until(t, () => scene.questions.length === 1);
  settle(scene);
  await scene.settled();
  const asked = async (count: number): Promise<Question | undefined> => {
    await until(t, () => scene.questions.length === count);
    return scene.questions[count - 1];
  };
  (await asked(1))?.answer(page(1, [1], { more: true }));
  const second = (await asked(2)) as Question; // it has been asked
  second.answer(page(3, second.room === 'room' ? [2, 3] : [1, 2, 3], {}, second.room));
  const last = (await asked(3)) as Question; // as above
  last.answer(page(3, last.room === 'room' ? [2, 3] : [1, 2, 3], {}, last.room));
  await until(t, () => scene.heard.length === 8);
  assert.deepEqual(new Set([second.room, last.room]), new Set(['room', 'other']));
});

test('it asks once about each position, whatever comes meanwhile', async t => {
  const scene = await start(t);
  settle(scene);
  for (const offset of [0, 3]) scene.event(offset);
  await until(t, () => scene.questions.length === 1);
  scene.position(5);
  await scene.settled();
  scene.questions[0]?.answer(page(1, [1], { more: true }));
  await until(t, () => scene.questions.length > 1);
  scene.questions[1]?.answer(page(5, [2, 3, 4, 5]));
  await until(t, () => scene.heard.length === 5);
  await scene.settled();
  assert.deepEqual(
    scene.questions.map(({ offset }) => offset),
    [0, 1],
  );
});

test('an answer that events have overtaken takes nothing back: the next event is heard at once', async t => {
  const scene = await start(t);
  settle(scene);
  for (const offset of [0, 1]) scene.event(offset);
  scene.position(0); // the server had looked before the event
  await until(t, () => scene.questions.length === 1);
  for (const offset of [2, 3]) scene.event(offset);
  await scene.settled();
  scene.questions[0]?.answer(page(1, []));
  scene.event(4);
  await scene.settled();
  assert.deepEqual(scene.heard, [1, 2, 3, 4]);
  assert.equal(scene.questions.length, 1);
});

test('a position that is broadcast with recovery is no event, and hides none', async t => {
  const scene = await start(t);
  settle(scene);
  const names = new Set<unknown>();
  scene.client.onAny(name => names.add(name));
  scene.event(0);
  scene.position(1);
  scene.event(1);
  await scene.settled();
  assert.deepEqual(scene.heard, [1]);
  assert.deepEqual(names, new Set(['said', 'settled']));
});

test('an event that is missing is asked for, however often others come', async t => {
  const scene = await start(t);
  scene.event(0);
  let offset = 1;
  const others = setInterval(() => scene.event(++offset), 10);
  t.after(() => clearInterval(others));
  await until(t, () => scene.questions.length === 1);
  assert.equal(scene.questions[0]?.offset, 0);
});

test('while the server cannot answer, events do not make the client ask sooner', async t => {
  const scene = await start(t);
  settle(scene);
  for (const offset of [0, 3]) scene.event(offset);
  for (let failures = 1; failures <= 3; failures++) {
    await until(t, () => scene.questions.length === failures);
    scene.questions[failures - 1]?.answer({ error: { code: 'TOO_MANY_EVENTS', message: 'later' } });
  }
  const answered = performance.now();
  for (let offset = 4; scene.questions.length === 3; offset++) {
    scene.event(offset);
    await scene.settled();
  }
  assert.ok(performance.now() - answered >= 700, 'after the third failure in a row, it waits for 800 ms');
});

test('a listener that throws stops no other one, and no later event', async t => {
  const scene = await start(t);
  const thrown: unknown[] = [];
  const own = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException');
  t.after(() => own.forEach(listener => process.on('uncaughtException', listener)));
  process.once('uncaughtException', error => thrown.push(error.message));
  scene.client.onAny((_, what) => {
    if (what === 1) throw new Error('a mistake of the app');
  });
  for (const offset of [0, 2, 1]) scene.event(offset);
  await until(t, () => scene.heard.length === 2 && thrown.length === 1);
  assert.deepEqual([scene.heard, thrown], [[1, 2], ['a mistake of the app']]);
});

test('a client that disconnects leaves no timer behind, which would keep a process', async t => {
  const retries = holdRetries(t);
  const scene = await start(t);
  scene.event(0);
  scene.position(1);
  await until(t, () => scene.questions.length === 1);
  scene.questions[0]?.answer({ error: { code: 'TRY_AGAIN', message: 'later' } });
  await until(t, () => retries.size === 1);
  scene.client.disconnect();
  assert.equal(retries.size, 0);

  const asking = await start(t);
  asking.event(0);
  asking.position(1);
  await until(t, () => asking.questions.length === 1); // nobody answers
  asking.client.disconnect();
  assert.equal(retries.size, 0);
});

/** The client does not ask again, however slow the machine is. Returns its timers. */
function holdRetries(t: TestContext): ReadonlySet<unknown> {
  const retries = new Set<unknown>();
  const { setTimeout: set, clearTimeout: clear } = globalThis;
  const setOther = ((call: () => void, ms = 0, ...args: unknown[]) => {
    if (ms !== FIRST_RETRY) return set(call, ms, ...(args as []));
    const retry = set(() => {}, 2 ** 30).unref();
    retries.add(retry);
    return retry;
  }) as typeof setTimeout; // without promisify
  t.mock.method(globalThis, 'setTimeout', setOther);
  t.mock.method(globalThis, 'clearTimeout', (timer: NodeJS.Timeout | undefined) => {
    retries.delete(timer);
    clear(timer);
  });
  return retries;
}

/** The client's waits take milliseconds. */
function speedUp(original: typeof setTimeout): typeof setTimeout {
  return ((call: () => void, ms = 0, ...args: unknown[]) =>
    original(call, ms >= FIRST_RETRY && ms < 10_000 ? ms / 100 : ms, ...(args as []))) as typeof setTimeout; // without promisify
}

test('an event without a position, and a room that is joined in an outage, are gaps as soon as the server knows where the room is', async t => {
  holdRetries(t);
  const scene = await start(t);
  scene.event(0);
  scene.lost('in an outage');
  await until(t, () => scene.heard.length === 1);
  scene.event(0); // as it was: the room's server has not told yet that the stream begins anew
  await until(t, () => scene.heard.length === 2);
  scene.event(1);
  await until(t, () => scene.heard.length === 3);
  assert.deepEqual(scene.heard, ['in an outage', 'gap', 1]);

  scene.lost(undefined); // the client asks, and nobody answers
  scene.event(2); // a client that knows the room has lost nothing by joining it again
  scene.lost(undefined, 'other');
  scene.event(1, 'later', 'other');
  await until(t, () => scene.heard.length === 6);
  assert.deepEqual(scene.heard.slice(3), [2, 'gap', 'later']);
  assert.deepEqual(
    scene.questions.map(({ room }) => room),
    ['room'],
  );
});

for (const kind of ['Any', 'AnyOutgoing'] as const)
  test(`listeners of on${kind}() hear no event that begins with $io:, and are as ever otherwise`, async t => {
    const names: string[] = [];
    const scene = await start(t, client => client[`on${kind}`](listen('before')));
    const { client } = scene;
    function listen(who: string) {
      return (event: string): void => void names.push(`${who}: ${event}`);
    }
    const [first, last, gone] = [listen('first'), listen('last'), listen('gone')];
    assert.equal(client[`on${kind}`](last)[`on${kind}`](gone), client);
    client[`on${kind}`](last)[`prepend${kind}`](first)[`off${kind}`](gone)[`off${kind}`](last); // one of the two
    assert.equal(client[`listeners${kind}`]()[0], first);
    assert.equal(client[`listeners${kind}`]().length, 3);
    for (const offset of [0, 2]) scene.event(offset);
    await until(t, () => scene.questions.length === 1); // one of ours has left, too
    scene.questions[0]?.answer(page(1, [1]));
    client.on('settled', (done: () => void) => done());
    await scene.settled();
    client.emit('hello');
    const heard = kind === 'Any' ? ['said', 'said', 'settled'] : ['hello'];
    assert.deepEqual(
      names,
      heard.flatMap(event => ['first', 'before', 'last'].map(who => `${who}: ${event}`)),
    );
    client[`off${kind}`]();
    client.emit('hello');
    await scene.settled();
    assert.equal(names.length, 3 * heard.length);
  });
