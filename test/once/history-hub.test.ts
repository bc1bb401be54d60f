/** Rooms with history over the hub: the agent numbers an event on its way to the other workers. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import type { ServerOptions } from 'socket.io';
import { allHeard, allKnown, enter, type Person } from '../support/adapters';
import { ROOT } from '../support/app';
import type { ClientOptions } from '../support/client';
import { hubPath, startHub, startHubWithStreams, startWorker, type Worker } from '../support/hub';
import { keepStreams, MemoryStreams, PacketCodec } from '../support/parts';
import { until } from '../support/until';

const PARSER = { parser: require(join(ROOT, 'test/parsers/node_modules/socket.io-msgpack-parser')) as object };
const PARSERS = {
  'the parser of Socket.IO': { options: {}, isDefault: true },
  'a parser of the app': { options: PARSER, isDefault: false },
};

const CONFIG = { namespace: { '/': { history: { 'room:*': { since: 'ever' } } } } };

/** What a client hears of a room, with its position. */
type Heard = readonly [
  event: string,
  position: { readonly room: string; readonly offset?: number; readonly id?: string },
  ...rest: unknown[],
];

async function startWorkers(t: TestContext, path: string, options: Partial<ServerOptions> = {}): Promise<[Worker, Worker]> {
  const workers: [Worker, Worker] = [
    await startWorker(t, path, 'one', options, CONFIG),
    await startWorker(t, path, 'other', options, CONFIG),
  ];
  await allKnown(workers);
  return workers;
}

/** A client in some rooms. */
async function member(t: TestContext, worker: Worker, rooms: string[], options: ClientOptions = {}): Promise<Person> {
  const person = await enter(t, worker, '/', options);
  await person.socket.join(rooms);
  return person;
}

/** A client that knows of history: a socket of the plugin is in the shadows of its rooms, too. */
async function aware(t: TestContext, worker: Worker, rooms: string[], options: ClientOptions = {}): Promise<Person> {
  return member(t, worker, [...rooms, ...rooms.map(shadowOf)], options);
}

function shadowOf(room: string): string {
  return `$io:history:${room}`;
}

/** The events with a position, in short. */
function positions(heard: readonly unknown[][]): unknown[] {
  return (heard as unknown as Heard[]).map(([event, position, ...rest]) =>
    // as the adapter has sent it
    event === '$io:event' ? [position.room, position.offset, ...rest] : [event, position],
  );
}

test('an emit to a room with history is one message to another worker, in order with all others, whose clients get it in both forms', async t => {
  const path = await hubPath(t);
  await startHubWithStreams(t, path);
  const [one, other] = await startWorkers(t, path);
  const people = [await member(t, other, ['room:1']), await aware(t, other, ['room:1']), await member(t, one, ['room:1'])];
  const own = await aware(t, one, ['room:1']);
  const before = other.link.inbox.read;
  one.io.to('room:1').emit('said', 'a');
  one.io.emit('said', 'b');
  one.io.to('room:1').emit('said', Buffer.from('c'));
  const [plain, positioned, local] = await allHeard(one.io.of('/'), people);
  assert.equal(other.link.inbox.read - before, 4);
  const all = [['said', 'a'], ['said', 'b'], ['said', Buffer.from('c')]]; // prettier-ignore
  assert.deepEqual(plain, all);
  assert.deepEqual(local, all);
  const both = [['room:1', 1, 'said', 'a'], ['said', 'b'], ['room:1', 2, 'said', Buffer.from('c')]]; // prettier-ignore
  assert.deepEqual(positions(positioned ?? []), both);
  await until(t, () => own.heard.length === 4);
  assert.deepEqual(positions(own.heard), [['said', 'b'], ['end', undefined], both[0], both[2]]);
});

test('emits of two workers reach these and a third one in the order of their numbers', async t => {
  const path = await hubPath(t);
  await startHubWithStreams(t, path);
  const emitters = await startWorkers(t, path);
  const workers = [...emitters, await startWorker(t, path, 'third', {}, CONFIG)];
  await allKnown(workers);
  const people = await Promise.all(workers.map(async worker => aware(t, worker, ['room:1'])));
  for (let round = 0; round < 20; round++) for (const { io } of emitters) io.to('room:1').emit('said');
  await until(t, () => people.every(({ heard }) => heard.length === 40));
  const inOrder = Array.from({ length: 40 }, (_, index) => ['room:1', index + 1, 'said']);
  for (const { heard } of people) assert.deepEqual(positions(heard), inOrder);
});

test('an emit to several rooms reaches who has no history once, and all others once for each room, with one id', async t => {
  const path = await hubPath(t);
  await startHubWithStreams(t, path);
  const [one, other] = await startWorkers(t, path);
  const people = [
    await member(t, other, ['room:1', 'plain']),
    await member(t, other, ['room:2']),
    await aware(t, other, ['room:1', 'room:2']),
  ];
  one.io.to(['room:1', 'room:2', 'plain']).emit('said', 'to all');
  one.io.to('plain').emit('said', 'to one');
  const [first, second, both = []] = await allHeard(one.io.of('/'), people);
  assert.deepEqual(first, [['said', 'to all'], ['said', 'to one']]); // prettier-ignore
  assert.deepEqual(second, [['said', 'to all']]);
  assert.deepEqual(positions(both), [['room:1', 1, 'said', 'to all'], ['room:2', 1, 'said', 'to all']]); // prettier-ignore
  const ids = new Set((both as unknown as Heard[]).map(([, { id }]) => id)); // as above
  assert.equal(ids.size, 1);
  assert.equal(typeof [...ids][0], 'string');
});

for (const [name, { options, isDefault }] of Object.entries(PARSERS))
  test(`with recovery, an event has the same offset in all workers, another one with its position, and none where it is kept, with ${name}`, async t => {
    const path = await hubPath(t);
    const streams = await startHubWithStreams(t, path);
    const [one, other] = await startWorkers(t, path, { ...options, connectionStateRecovery: {} });
    const people = [await member(t, one, ['room:1'], options), await member(t, other, ['room:1'], options)];
    const knowing = [await aware(t, one, ['room:1'], options), await aware(t, other, ['room:1'], options)];
    one.io.to('room:1').emit('said', 'a');
    await until(t, () => [...people, ...knowing].every(({ heard }) => heard.length === 1));
    const [said, saidOther] = people.map(({ heard }) => heard[0]);
    const [known, knownOther] = knowing.map(({ heard }) => heard[0]);
    assert.deepEqual(said, saidOther);
    assert.deepEqual(known, knownOther);
    const offsets = [said?.at(-1), known?.at(-1)];
    assert.deepEqual([said, known?.slice(2)], offsets.map(offset => ['said', 'a', offset])); // prettier-ignore
    assert.equal(new Set(offsets).size, 2);
    const [kept] = streams.read('1:/:room:1', 0, 9).entries;
    const content = isDefault ? kept?.content : new PacketCodec(one.io.of('/')).decode(kept?.content ?? []).data;
    assert.deepEqual(content, isDefault ? ['2["said","a"]'] : ['said', 'a']);
  });

test('who joins right after an emit of the same worker is not told of it', async t => {
  const path = await hubPath(t);
  await startHubWithStreams(t, path);
  const [one, other] = await startWorkers(t, path);
  const [late, foreign] = [await member(t, one, []), await aware(t, other, ['room:1'])];
  one.io.to('room:1').emit('said', 'early');
  await late.socket.join(['room:1', shadowOf('room:1')]);
  one.io.to('room:1').emit('said', 'late');
  await until(t, () => late.heard.length > 0 && foreign.heard.length === 2);
  assert.deepEqual(positions(late.heard), [['room:1', 2, 'said', 'late']]);
});

test('where the agent ends before it has replied, the own clients get the event without its position, and all learn of the gap', async t => {
  const path = await hubPath(t);
  const hub = await startHub(t, path);
  let asked = 0;
  hub.answer('streams', async () => {
    asked++;
    return new Promise(() => {});
  });
  const [one, other] = await startWorkers(t, path);
  const [own, plain, foreign] = [await aware(t, one, ['room:1']), await member(t, one, ['room:1']), await aware(t, other, ['room:1'])];
  one.io.to('room:1').emit('said', 'lost');
  await until(t, () => asked === 1);
  await hub.close();
  await until(t, () => own.heard.length === 1);
  one.io.to('room:1').emit('said', 'meanwhile');
  await until(t, () => own.heard.length === 2);
  assert.deepEqual(positions(own.heard), [['room:1', 0, 'said', 'lost'], ['room:1', 0, 'said', 'meanwhile']]); // prettier-ignore
  assert.deepEqual(plain.heard, [['said', 'lost'], ['said', 'meanwhile']]); // prettier-ignore
  assert.deepEqual(foreign.heard, []);
  await startHubWithStreams(t, path);
  await until(t, () => own.heard.length === 3 && foreign.heard.length === 1);
  one.io.to('room:1').emit('said', 'after');
  await until(t, () => own.heard.length === 4 && foreign.heard.length === 2);
  const rest = [['room:1', 0, null], ['room:1', 1, 'said', 'after']]; // prettier-ignore
  assert.deepEqual(positions(own.heard.slice(2)), rest);
  assert.deepEqual(positions(foreign.heard), rest);
});

test('with recovery, what tells of a gap has an offset, too, and null in place of an event', async t => {
  const path = await hubPath(t);
  const hub = await startHub(t, path);
  hub.answer('streams', () => {
    throw new RangeError('on purpose');
  });
  const [one, other] = await startWorkers(t, path, { connectionStateRecovery: {} });
  const [own, foreign] = [await aware(t, one, ['room:1']), await aware(t, other, ['room:1'])];
  one.io.to('room:1').emit('said', 'lost');
  await until(t, () => own.heard.length === 1);
  const streams = new MemoryStreams();
  t.after(() => streams.close());
  keepStreams(hub, streams);
  await until(t, () => own.heard.length === 2 && foreign.heard.length === 1);
  const [told] = positions(foreign.heard) as [unknown[]]; // there is one
  assert.deepEqual(told.slice(0, 3), ['room:1', 0, null]);
  assert.match(String(told[3]), /^~/);
  assert.deepEqual(positions(own.heard)[1], told);
});
