/** What every adapter has to do, however its messages travel: the same cases for each. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test, type TestContext } from 'node:test';
import { setImmediate as nextTurn, setTimeout as nextTimer } from 'node:timers/promises';
import { inspect } from 'node:util';
import { type Namespace, Server, type ServerOptions, type Socket } from 'socket.io';
import { type Client, type ClientOptions, connect, next } from './client';
import { until } from './until';

export interface AdapterServer {
  readonly io: Server;
  /** Of the test that has started it. */
  readonly signal: AbortSignal;
  readonly url: string;
  /** Closes it, as one of several. */
  leave(): Promise<void>;
}

/** Starts one more server, which is to know those before it. */
export type Join = (options?: Partial<ServerOptions>) => Promise<AdapterServer>;

export interface Differences {
  /** There is always one server only; cases that need more are left out. */
  readonly alone?: boolean;
  /** Cases that do not hold, and why; once one does, it is to be taken out here. */
  readonly except?: Record<string, string>;
}

/** A Socket.IO server with this adapter, and nothing of Egg. It is closed when the test ends, if it has not left before. */
export async function startServer(
  t: TestContext,
  options: Partial<ServerOptions>,
  onLeave: () => unknown = () => {},
): Promise<AdapterServer> {
  const http = createServer();
  const io = new Server(http, { serveClient: false, ...options });
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  let leaving: Promise<void> | undefined;
  const leave = async (): Promise<void> => {
    leaving ??= io.close().then(async () => void (await onLeave()));
    await leaving;
  };
  t.after(leave);
  return { io, signal: t.signal, url: `http://127.0.0.1:${(http.address() as AddressInfo).port}`, leave };
}

/** Waits until all servers count each other, in a namespace. */
export async function allKnown(servers: readonly AdapterServer[], name = '/'): Promise<void> {
  for (const { io, signal } of servers) {
    const nsp = io.of(name);
    await until({ signal }, async () => (await nsp.adapter.serverCount()) === servers.length);
  }
}

/** A client, and its socket at the server. */
export interface Person {
  readonly client: Client;
  readonly socket: Socket;
  readonly id: string;
  /** Each event with its arguments. */
  readonly heard: unknown[][];
}

export async function enter(t: TestContext, { io, url }: AdapterServer, name = '/', options: ClientOptions = {}): Promise<Person> {
  const arrival = next<[Socket]>(io.of(name), 'connection');
  const client = await connect(t, url + name, options);
  const [socket] = await arrival;
  const heard: unknown[][] = [];
  client.onAny((...args: unknown[]) => heard.push(args));
  return { client, socket, id: socket.id, heard };
}

/** A client is asked, does not acknowledge in time, and its server does not wait for it any more. */
export async function forgetsQuestion({ io, signal }: AdapterServer, { socket }: Person): Promise<void> {
  const asked = waitingWhenAsked(socket);
  await assert.rejects(io.timeout(200).emitWithAck('ask'), /timed out/);
  assert.equal(await asked, 1);
  await until({ signal }, () => waitingFor(socket) === 0);
}

/**
 * Two servers, whose heartbeats end after 8 s, are counted while the clock is set ahead, and not for longer when it is set back. They send no
 * heartbeats meanwhile.
 */
export async function ignoresTheClock(t: TestContext, one: AdapterServer, other: AdapterServer): Promise<void> {
  await enter(t, other);
  await allKnown([one, other]);
  const now = Date.now.bind(Date);
  const clock = t.mock.method(Date, 'now', () => now() + 3_600_000);
  await nextTimer(1000); // each adapter has looked by then: its timer is of the same length, and began before
  assert.equal((await one.io.fetchSockets()).length, 1);
  clock.mock.mockImplementation(() => now() - 3_600_000);
  await until(t, async () => (await one.io.of('/').adapter.serverCount()) === 1);
}

/** How many acknowledgements of a client its server waits for when it sends a question: later, the time of the question may be over. */
async function waitingWhenAsked(socket: Socket): Promise<number> {
  return new Promise(resolve => socket.onAnyOutgoing(() => resolve(waitingFor(socket))));
}

/** How many acknowledgements of a client a server waits for. */
function waitingFor(socket: Socket): number {
  return (Reflect.get(socket, 'acks') as Map<number, unknown>).size; // private
}

/** All that each has heard of a sender, when all that the sender has sent has arrived. */
export async function allHeard(sender: Namespace, people: readonly Person[]): Promise<unknown[][][]> {
  const ends = people.map(({ client }) => next(client, 'end'));
  sender.emit('end');
  await Promise.all(ends);
  return people.map(({ heard }) => heard.splice(0).filter(([event]) => event !== 'end'));
}

/** Three servers with a namespace of their own for each case. */
interface Stage {
  readonly t: TestContext;
  readonly servers: readonly AdapterServer[];
  readonly name: string;
  /** The namespace at a server: 0, 1 or 2. */
  nsp(server: number): Namespace;
  enter(server: number, options?: ClientOptions): Promise<Person>;
}

interface Case {
  readonly run: (stage: Stage) => Promise<void>;
  readonly needsOthers: boolean;
}

const CASES: Record<string, Case> = {};

function holds(what: string, run: Case['run']): void {
  CASES[what] = { run, needsOthers: false };
}

function holdsWithOthers(what: string, run: Case['run']): void {
  CASES[what] = { run, needsOthers: true };
}

export function conformance(name: string, start: (t: TestContext) => Promise<Join>, differences: Differences = {}): void {
  const { alone = false, except = {} } = differences;

  test(`${name}: what an adapter has to do`, { timeout: 60_000 }, async t => {
    const join = await start(t);
    const servers = [await join()];
    while (servers.length < 3) servers.push(alone ? (servers[0] as AdapterServer) : await join()); // there is one
    let number = 0;
    for (const [what, { run, needsOthers }] of Object.entries(CASES)) {
      if (alone && needsOthers) continue;
      const why = except[what];
      await t.test(why === undefined ? what : `not so, since ${why}: ${what}`, async t => {
        const name = `/case-${++number}`;
        for (const { io } of servers) io.of(name);
        if (!alone) await allKnown(servers, name);
        const nsp = (index: number): Namespace => (servers[index] as AdapterServer).io.of(name); // 0, 1 or 2
        const ran = run({ t, servers, name, nsp, enter: (index, options) => enter(t, servers[index] as AdapterServer, name, options) });
        if (why === undefined) await ran;
        else await assert.rejects(ran, assert.AssertionError, 'it holds by now');
      });
    }
  });

  if (alone) return;

  test(`${name}: a server that joins later is reached, and reaches`, async t => {
    const join = await start(t);
    const servers = [await join(), await join()];
    await allKnown(servers);
    servers.push(await join());
    await allKnown(servers);
    const [first, , third] = servers as [AdapterServer, AdapterServer, AdapterServer];
    const [alice, carol] = [await enter(t, first), await enter(t, third)];
    first.io.emit('said', 'to the new one');
    assert.deepEqual(await allHeard(first.io.of('/'), [carol]), [[['said', 'to the new one']]]);
    alice.heard.length = 0;
    third.io.emit('said', 'of the new one');
    assert.deepEqual(await allHeard(third.io.of('/'), [alice]), [[['said', 'of the new one']]]);
    assert.deepEqual(ids(await first.io.fetchSockets()), ids([alice, carol]));
    assert.deepEqual(ids(await third.io.fetchSockets()), ids([alice, carol]));
  });

  test(`${name}: a server that leaves is not waited for`, async t => {
    const join = await start(t);
    const servers = [await join(), await join(), await join()];
    await allKnown(servers);
    const [first, second, third] = servers as [AdapterServer, AdapterServer, AdapterServer];
    const [alice, bob] = [await enter(t, first), await enter(t, second), await enter(t, third)];
    for (const { client } of [alice, bob]) client.on('ask', (answer: (value: string) => void) => answer('here'));
    await third.leave();
    await allKnown([first, second]);
    assert.deepEqual(ids(await first.io.fetchSockets()), ids([alice, bob]));
    assert.deepEqual(await first.io.timeout(5000).emitWithAck('ask'), ['here', 'here']);
    second.io.on('count', (answer: (value: number) => void) => answer(2));
    assert.deepEqual(await first.io.serverSideEmitWithAck('count'), [2]);
  });
}

function ids(sockets: readonly { readonly id: string }[]): string[] {
  return sockets.map(({ id }) => id).sort();
}

// Whom a broadcast reaches

holds('all clients, each once', async ({ nsp, enter }) => {
  const people = [await enter(0), await enter(1), await enter(2), await enter(2)];
  nsp(0).emit('said', 1, 'two', { three: [3] });
  for (const heard of await allHeard(nsp(0), people)) assert.deepEqual(heard, [['said', 1, 'two', { three: [3] }]]);
});

holds('those of a room; those of several rooms once', async ({ nsp, enter }) => {
  const people = [await enter(0), await enter(1), await enter(2)] as const;
  const [alice, bob, carol] = people;
  await alice.socket.join('a');
  await bob.socket.join(['a', 'b']);
  await carol.socket.join('c');
  nsp(0).to('a').emit('to a');
  nsp(0).to('a').to('b').emit('to a and b');
  nsp(0).to(['b', 'c']).emit('to b and c');
  nsp(0).to('nobody').emit('to nobody');
  nsp(0).to(carol.id).emit('to carol');
  assert.deepEqual(await allHeard(nsp(0), people), [
    [['to a'], ['to a and b']],
    [['to a'], ['to a and b'], ['to b and c']],
    [['to b and c'], ['to carol']],
  ]);
});

holds('all but those of a room, or one', async ({ nsp, enter }) => {
  const people = [await enter(0), await enter(1), await enter(2)] as const;
  const [alice, bob, carol] = people;
  for (const { socket } of people) await socket.join('all');
  await bob.socket.join('b');
  nsp(0).except('b').emit('not to b');
  nsp(0).to('all').except([carol.id, 'b']).emit('only to alice');
  alice.socket.broadcast.emit('not to me');
  alice.socket.to('b').emit('to b');
  assert.deepEqual(await allHeard(nsp(0), people), [
    [['not to b'], ['only to alice']],
    [['not to me'], ['to b']],
    [['not to b'], ['not to me']],
  ]);
});

holds('clients who have left a room no more', async ({ nsp, enter }) => {
  const people = [await enter(0), await enter(1)] as const;
  for (const { socket } of people) await socket.join('a');
  await people[1].socket.leave('a');
  nsp(0).to('a').emit('to a');
  assert.deepEqual(await allHeard(nsp(0), people), [[['to a']], []]);
});

holdsWithOthers('only those of this server, with `local`', async ({ nsp, enter }) => {
  const people = [await enter(0), await enter(1)] as const;
  nsp(0).local.emit('near');
  assert.deepEqual(await allHeard(nsp(0), people), [[['near']], []]);
});

holds('clients that are ready, with `volatile`; and without compression', async ({ nsp, enter }) => {
  const people = [await enter(0), await enter(1)];
  nsp(0).compress(false).emit('plain');
  assert.deepEqual(await allHeard(nsp(0), people), [[['plain']], [['plain']]]);
  for (const { heard } of people) {
    while (heard.length === 0) {
      nsp(0).volatile.emit('maybe');
      await nextTurn();
    }
    assert.deepEqual(heard[0], ['maybe']);
  }
});

holdsWithOthers('each namespace by itself', async ({ t, servers, name, nsp, enter: enterHere }) => {
  for (const { io } of servers) io.of(`${name}/other`);
  await allKnown(servers, `${name}/other`);
  const here = [await enterHere(0), await enterHere(1)];
  const there = await enter(t, servers[1] as AdapterServer, `${name}/other`); // there are three
  nsp(0).emit('here');
  servers[0]?.io.of(`${name}/other`).emit('there');
  assert.deepEqual(await allHeard(nsp(0), here), [[['here']], [['here']]]);
  assert.deepEqual(await allHeard((servers[0] as AdapterServer).io.of(`${name}/other`), [there]), [[['there']]]);
});

// In which order

holds('1,000 events of each of two servers arrive in the order in which they were sent', async ({ nsp, enter }) => {
  const people = [await enter(0), await enter(1), await enter(2)];
  for (let n = 0; n < 1000; n++) {
    nsp(0).emit('of 0', n);
    nsp(1).emit('of 1', n);
  }
  const [before, after] = [await allHeard(nsp(0), people), await allHeard(nsp(1), people)];
  for (const index of people.keys()) {
    const heard = [...(before[index] ?? []), ...(after[index] ?? [])];
    for (const sender of ['of 0', 'of 1']) {
      const numbers = heard.filter(([event]) => event === sender).map(([, n]) => n);
      assert.deepEqual(numbers, [...Array(1000).keys()]);
    }
  }
});

holds('broadcasts arrive in order with what is sent to one client', async ({ nsp, enter }) => {
  const alice = await enter(0);
  for (let n = 0; n < 100; n += 4) {
    alice.socket.emit('n', n);
    nsp(0).emit('n', n + 1);
    nsp(0)
      .to(alice.id)
      .emit('n', n + 2);
    alice.socket.nsp.in(alice.id).emit('n', n + 3);
  }
  const [heard] = await allHeard(nsp(0), [alice]);
  assert.deepEqual(
    heard,
    [...Array(100).keys()].map(n => ['n', n]),
  );
});

holds('an acknowledgement arrives after the broadcasts before it, at a client of the same server', async ({ nsp, enter }) => {
  const { client, heard, socket } = await enter(0);
  socket.on('question', (answer: () => void) => {
    nsp(0).emit('n', 1);
    nsp(0).to(socket.id).emit('n', 2);
    answer();
  });
  await client.emitWithAck('question');
  assert.deepEqual(heard, [
    ['n', 1],
    ['n', 2],
  ]);
});

holds('a broadcast to a room reaches those who were made to join it just before, and not those who left', async ({ nsp, enter }) => {
  const people = [await enter(0), await enter(1)];
  nsp(0).socketsJoin('a');
  nsp(0).to('a').emit('in');
  nsp(0).socketsLeave('a');
  nsp(0).to('a').emit('out');
  assert.deepEqual(await allHeard(nsp(0), people), [[['in']], [['in']]]);
});

// What arrives

class Point {
  constructor(
    readonly x: number,
    readonly y: number,
  ) {}

  toJSON(): string {
    return `${this.x}/${this.y}`;
  }
}

const BYTES = Buffer.from([0, 1, 127, 128, 255]);

const VALUES: Record<string, readonly [sent: unknown[], arrived: unknown[]]> = {
  'numbers, strings, nothing': [
    [0, -1.5, 2 ** 53, '', 'a\u0000"\\\n', null, true],
    [0, -1.5, 2 ** 53, '', 'a\u0000"\\\n', null, true],
  ],
  'large numbers': [
    [1e300, -(2 ** 70)],
    [1e300, -(2 ** 70)],
  ],
  'what JSON does not have': [
    [undefined, [undefined, Number.NaN], { a: undefined, b: () => {} }],
    [null, [null, null], {}],
  ],
  'dates and what has a toJSON()': [
    [new Date(0), { at: new Date(1) }, new Point(1, 2), [new Point(3, 4)]],
    ['1970-01-01T00:00:00.000Z', { at: '1970-01-01T00:00:00.001Z' }, '1/2', ['3/4']],
  ],
  'every script': [
    ['大家好', '😀', 'e\u0301', '\u2028', { 键: '值' }],
    ['大家好', '😀', 'e\u0301', '\u2028', { 键: '值' }],
  ],
  'half a character': [['\ud800'], ['\ud800']],
  'bytes, deep in other things': [
    [BYTES, { deep: [{ er: BYTES }, 'text'] }, [BYTES, [BYTES]], Buffer.alloc(0)],
    [BYTES, { deep: [{ er: BYTES }, 'text'] }, [BYTES, [BYTES]], Buffer.alloc(0)],
  ],
  'bytes beside a date and undefined': [
    [BYTES, new Date(0), [undefined], new Point(5, 6)],
    [BYTES, '1970-01-01T00:00:00.000Z', [null], '5/6'],
  ],
  'what looks like bytes that have been taken out': [
    [{ _placeholder: false, num: 0 }, { placeholder: true }],
    [{ _placeholder: false, num: 0 }, { placeholder: true }],
  ],
};

for (const [what, [sent, arrived]] of Object.entries(VALUES)) {
  holds(`values arrive elsewhere as they do here: ${what}`, async ({ nsp, enter }) => {
    const people = [await enter(0), await enter(1)];
    nsp(0).emit('values', ...sent);
    assert.deepEqual(await allHeard(nsp(0), people), [[['values', ...arrived]], [['values', ...arrived]]]);
  });
}

holds('array buffers and typed arrays arrive as their bytes', async ({ nsp, enter }) => {
  const people = [await enter(0), await enter(1)];
  const { buffer } = new Uint8Array([1, 2, 3, 4, 5, 6, 7, 8]);
  nsp(0).emit('values', buffer, new Uint16Array(buffer, 2, 2), new DataView(buffer, 1, 3));
  const arrived = [Buffer.from([1, 2, 3, 4, 5, 6, 7, 8]), Buffer.from([3, 4, 5, 6]), Buffer.from([2, 3, 4])];
  assert.deepEqual(await allHeard(nsp(0), people), [[['values', ...arrived]], [['values', ...arrived]]]);
});

holds('a megabyte of text, and one of bytes', async ({ nsp, enter }) => {
  const people = [await enter(0), await enter(1)];
  const text = '0123456789abcde大'.repeat(65_536);
  const bytes = Buffer.alloc(1_048_576, 'bytes');
  nsp(0).emit('text', text);
  nsp(0).emit('bytes', bytes);
  for (const heard of await allHeard(nsp(0), people)) {
    assert.deepEqual(
      heard.map(([event]) => event),
      ['text', 'bytes'],
    );
    assert.ok(heard[0]?.[1] === text);
    assert.ok(bytes.equals(heard[1]?.[1] as Buffer));
  }
});

/** Arrays in arrays. */
function nested(levels: number, inner: unknown[] = []): unknown[] {
  let value = inner;
  for (let level = 1; level < levels; level++) value = [value];
  return value;
}

function circle(): unknown[] {
  const values: unknown[] = [];
  values.push({ values });
  return values;
}

/** What cannot be encoded, or what clients of Socket.IO would close for, and the reason that the caller gets. */
export const REFUSED: Record<string, readonly [values: unknown[], reason: RegExp]> = {
  'a BigInt': [[1n], /BigInt/],
  'a BigInt beside bytes': [[{ deep: [1n] }, BYTES], /BigInt/],
  'a circle': [circle(), /nested too deep, or in a circle/],
  'a circle beside bytes': [[BYTES, circle()], /nested too deep, or in a circle/],
  'more levels than can be followed': [nested(100_000), /nested too deep, or in a circle/],
  'a Blob': [[new Blob(['x'])], /a Blob cannot be sent(?: to other workers or servers)?; send `await blob.arrayBuffer\(\)`/],
  'a Blob beside bytes': [[BYTES, { deep: new Blob(['x']) }], /a Blob cannot be sent/],
  '11 Buffers': [Array<unknown>(11).fill(BYTES), /it has 11 binary values, and clients accept at most 10 in one event/],
  'a placeholder beside bytes': [[{ _placeholder: true, num: 0 }, BYTES], /`_placeholder: true` for a binary value/],
};

for (const [what, [values, reason]] of Object.entries(REFUSED)) {
  holds(`what clients cannot be sent throws where it is emitted, and reaches nobody: ${what}`, async ({ nsp, enter }) => {
    const people = [await enter(0), await enter(1)];
    for (const { socket } of people) await socket.join('room');
    const refusal = (error: Error): boolean => {
      assert.ok(error instanceof TypeError || error instanceof RangeError);
      assert.equal(Reflect.get(error, 'code'), 'IO_EMIT_INVALID');
      assert.match(error.message, /event 'bad' cannot be emitted: /);
      assert.match(error.message, reason);
      return true;
    };
    assert.throws(() => nsp(0).emit('bad', ...values), refusal);
    assert.throws(
      () =>
        nsp(0)
          .to('room')
          .volatile.emit('bad', ...values),
      refusal,
    );
    assert.throws(() => nsp(0).local.emit('bad', ...values), refusal);
    await assert.rejects(
      nsp(0)
        .timeout(5000)
        .emitWithAck('bad', ...values),
      refusal,
    );
    nsp(0).emit('good');
    assert.deepEqual(await allHeard(nsp(0), people), [[['good']], [['good']]]);
  });
}

for (const name of [null, undefined, true, {}, Symbol('name')] as unknown as string[]) {
  holds(`what is no name of an event throws where it is emitted, and reaches nobody: ${inspect(name)}`, async ({ nsp, enter }) => {
    const people = [await enter(0), await enter(1)];
    const refusal = {
      name: 'TypeError',
      code: 'IO_EMIT_INVALID',
      message: /cannot be emitted: the name of an event must be a string or a number/,
    };
    assert.throws(() => nsp(0).emit(name, 1), refusal);
    assert.throws(() => nsp(0).local.emit(name, 1), refusal);
    await assert.rejects(nsp(0).timeout(5000).emitWithAck(name, 1), refusal);
    nsp(0).emit(7 as unknown as string, 'a number is one'); // typed as a string
    assert.deepEqual(await allHeard(nsp(0), people), [[[7, 'a number is one']], [[7, 'a number is one']]]);
  });
}

holds('what clients can just be sent arrives: 10 Buffers, what looks like a placeholder, 200 levels', async ({ nsp, enter }) => {
  const people = [await enter(0), await enter(1)] as const;
  for (const { socket, client } of people) {
    await socket.join('room');
    client.on('ask', (...args: unknown[]) => (args.at(-1) as (answer: unknown) => void)(args.slice(0, -1)));
  }
  const emits = [
    Array<unknown>(10).fill(BYTES),
    [{ _placeholder: true, num: 0 }],
    ['"_placeholder":true', { '"_placeholder":true': '{"_placeholder":true}' }, BYTES],
    nested(200),
    nested(200, [BYTES]),
  ];
  const expected: unknown[][] = [];
  for (const values of emits) {
    nsp(0).emit('all', ...values);
    nsp(0)
      .to('room')
      .emit('room', ...values);
    nsp(0)
      .to(['room', 'nobody'])
      .emit('rooms', ...values);
    expected.push(['all', ...values], ['room', ...values], ['rooms', ...values]);
  }
  assert.deepEqual(await allHeard(nsp(0), people), [expected, expected]);
  for (const values of emits.slice(0, 3))
    assert.deepEqual(
      await nsp(0)
        .timeout(5000)
        .emitWithAck('ask', ...values),
      [values, values],
    );
});

holds('listeners to all that goes out hear broadcasts', async ({ nsp, enter }) => {
  const bob = await enter(1);
  const seen: unknown[][] = [];
  bob.socket.onAnyOutgoing((...args: unknown[]) => seen.push(args));
  nsp(0).emit('said', 'x', BYTES);
  await allHeard(nsp(0), [bob]);
  assert.deepEqual(seen, [['said', 'x', BYTES], ['end']]);
});

// Acknowledgements

holds('all acknowledge a broadcast', async ({ nsp, enter }) => {
  for (const server of [0, 1, 2, 2]) {
    const { client } = await enter(server);
    client.on('ask', (what: unknown, answer: (value: unknown) => void) => answer({ server, what }));
  }
  const answers = (await nsp(0).timeout(5000).emitWithAck('ask', 'who')) as { server: number }[];
  assert.deepEqual(
    answers.sort((one, other) => one.server - other.server),
    [0, 1, 2, 2].map(server => ({ server, what: 'who' })),
  );
});

holds('those of a room acknowledge', async ({ nsp, enter }) => {
  for (const server of [0, 1, 2]) {
    const { client, socket } = await enter(server);
    if (server > 0) await socket.join('a');
    client.on('ask', (answer: (value: number) => void) => answer(server));
  }
  const answers = (await nsp(0).to('a').timeout(5000).emitWithAck('ask')) as number[];
  assert.deepEqual(answers.sort(), [1, 2]);
});

holdsWithOthers('a question without a time-out has time for its answers, of a socket of another server as well', async ({ nsp, enter }) => {
  const [alice, bob] = [await enter(0), await enter(1)];
  // after several turns of the event loop: a time-out of 1 ms would be over
  for (const { client, id } of [alice, bob]) client.on('ask', (answer: (id: string) => void) => void setTimeout(answer, 20, id));
  assert.deepEqual(((await nsp(0).except('nobody').emitWithAck('ask')) as string[]).toSorted(), ids([alice, bob]));
  assert.deepEqual(await alice.socket.broadcast.emitWithAck('ask'), [bob.id]);
  const found = (await nsp(0).in(bob.id).fetchSockets())[0];
  const answer = await new Promise(resolve => found?.emit('ask', (error: unknown, id: unknown) => resolve(error ?? id)));
  assert.equal(answer, bob.id);
});

holdsWithOthers('those of this server acknowledge, with `local`', async ({ nsp, enter }) => {
  const people = [await enter(0), await enter(0), await enter(1)];
  for (const [index, { client }] of people.entries()) client.on('ask', (answer: (index: number) => void) => answer(index));
  const answers = (await nsp(0).local.timeout(5000).emitWithAck('ask')) as number[];
  assert.deepEqual(answers.toSorted(), [0, 1]);
});

holds('acknowledgements carry bytes, and nothing', async ({ nsp, enter }) => {
  const { client } = await enter(1);
  client.on('bytes', (sent: unknown, answer: (value: unknown) => void) => answer({ back: sent }));
  client.on('nothing', (answer: () => void) => answer());
  assert.deepEqual(await nsp(0).timeout(5000).emitWithAck('bytes', BYTES), [{ back: BYTES }]);
  assert.deepEqual(await nsp(0).timeout(5000).emitWithAck('nothing'), [undefined]);
});

holds('a broadcast that one client does not acknowledge ends by its timeout, with the answers of the others', async ({ nsp, enter }) => {
  for (const server of [0, 1, 2]) {
    const { client } = await enter(server);
    client.on('ask', (answer: (value: number) => void) => {
      if (server !== 1) answer(server);
    });
  }
  const error = await nsp(0)
    .timeout(300)
    .emitWithAck('ask')
    .then(
      () => assert.fail('nobody was missed'),
      (error: unknown) => error as Error & { responses: number[] }, // as Socket.IO makes it
    );
  assert.match(error.message, /timed out/);
  assert.deepEqual(error.responses.sort(), [0, 2]);
});

holds('a broadcast with acknowledgement that nobody gets ends at once', async ({ nsp }) => {
  assert.deepEqual(await nsp(0).to('nobody').timeout(5000).emitWithAck('ask'), []);
});

holds('what clients may nest, 64 levels with the packet’s own, is acknowledged and told of', async ({ nsp, enter }) => {
  const { client, socket } = await enter(1, { auth: { deep: nested(63) } });
  client.on('ask', (answer: (value: unknown) => void) => answer(nested(63)));
  socket.data = { deep: nested(63) };
  assert.deepEqual(await nsp(0).timeout(5000).emitWithAck('ask'), [nested(63)]);
  const [found] = await nsp(0).fetchSockets();
  assert.deepEqual(found?.handshake.auth, { deep: nested(63) });
  assert.deepEqual(found?.data, { deep: nested(63) });
});

// Sockets of all servers

holds('fetchSockets() finds all, with rooms, data and handshake', async ({ nsp, enter }) => {
  const people = [await enter(0), await enter(1, { auth: { token: 'secret' }, query: { q: '大' } })] as const;
  const [, bob] = people;
  await bob.socket.join('a');
  bob.socket.data = { name: 'bob', at: { x: 1 } };
  const sockets = await nsp(0).fetchSockets();
  assert.deepEqual(ids(sockets), ids(people));
  const found = sockets.find(({ id }) => id === bob.id);
  assert.deepEqual([...(found?.rooms ?? [])].sort(), [bob.id, 'a'].sort());
  assert.deepEqual(found?.data, { name: 'bob', at: { x: 1 } });
  assert.deepEqual(found?.handshake.auth, { token: 'secret' });
  assert.equal(found?.handshake.query['q'], '大');
  assert.equal(found?.handshake.headers.host, bob.socket.handshake.headers.host);
  assert.equal(found?.handshake.issued, bob.socket.handshake.issued);
});

holds('fetchSockets() finds those of a room, and not those that are excepted', async ({ nsp, enter }) => {
  const people = [await enter(0), await enter(1), await enter(2)] as const;
  const [alice, bob, carol] = people;
  for (const { socket } of [alice, bob]) await socket.join('a');
  assert.deepEqual(ids(await nsp(2).in('a').fetchSockets()), ids([alice, bob]));
  assert.deepEqual(ids(await nsp(2).except('a').fetchSockets()), ids([carol]));
  assert.deepEqual(ids(await nsp(2).in(['a', carol.id]).except(bob.id).fetchSockets()), ids([alice, carol]));
  assert.deepEqual(await nsp(2).in('nobody').fetchSockets(), []);
});

holdsWithOthers('fetchSockets() finds those of this server, with `local`', async ({ nsp, enter }) => {
  const [alice] = [await enter(0), await enter(1)];
  assert.deepEqual(ids(await nsp(0).local.fetchSockets()), ids([alice]));
});

holdsWithOthers('fetchSockets() brings bytes among the data, and dates as JSON has them', async ({ nsp, enter }) => {
  const bob = await enter(1, { auth: { key: 'bytes 0' } });
  bob.socket.data = { bytes: BYTES, all: [BYTES, new Date(0), undefined] };
  const [found] = await nsp(0).fetchSockets();
  assert.deepEqual(found?.data, { bytes: BYTES, all: [BYTES, '1970-01-01T00:00:00.000Z', null] });
});

holdsWithOthers(
  'a socket that cannot be told of is missing in fetchSockets() elsewhere, and the others are there',
  async ({ nsp, enter }) => {
    const [alice, bob, carol] = [await enter(1), await enter(1), await enter(2)];
    const circle: unknown[] = [];
    circle.push(circle);
    alice.socket.data = { circle };
    assert.deepEqual(ids(await nsp(0).fetchSockets()), ids([bob, carol]));
    alice.socket.data = { large: 1n };
    assert.deepEqual(ids(await nsp(0).fetchSockets()), ids([bob, carol]));
    alice.socket.data = {};
    assert.deepEqual(ids(await nsp(0).fetchSockets()), ids([alice, bob, carol]));
  },
);

holds('a socket of another server is emitted to, asked, joined and disconnected', async ({ nsp, enter }) => {
  const bob = await enter(1);
  bob.client.on('ask', (answer: (value: string) => void) => answer('bob'));
  const [found] = await nsp(0).fetchSockets();
  assert.ok(found);
  found.emit('said', 'to bob');
  found.join('a');
  nsp(0).to('a').emit('said', 'to a');
  assert.deepEqual(await allHeard(nsp(0), [bob]), [
    [
      ['said', 'to bob'],
      ['said', 'to a'],
    ],
  ]);
  assert.equal(await found.timeout(5000).emitWithAck('ask'), 'bob');
  const told = next(bob.client, 'disconnect');
  found.disconnect();
  assert.equal((await told)[0], 'io server disconnect');
});

holds('socketsJoin() and socketsLeave() reach all, or those of a room', async ({ nsp, enter }) => {
  const people = [await enter(0), await enter(1), await enter(2)] as const;
  const [alice, bob, carol] = people;
  nsp(0).socketsJoin(['a', 'b']);
  nsp(0).in(bob.id).socketsLeave('a');
  nsp(0).except([alice.id, bob.id]).socketsLeave(['a', 'b']);
  await allHeard(nsp(0), people);
  assert.deepEqual([...alice.socket.rooms].sort(), [alice.id, 'a', 'b'].sort());
  assert.deepEqual([...bob.socket.rooms].sort(), [bob.id, 'b'].sort());
  assert.deepEqual([...carol.socket.rooms], [carol.id]);
});

holds('disconnectSockets() ends namespaces, or whole connections', async ({ servers, name, nsp, enter }) => {
  for (const { io } of servers) io.of(`${name}/beside`);
  const people = [await enter(0), await enter(1), await enter(2)] as const;
  const [alice, bob, carol] = people;
  const beside = people.map(({ client }) => client.io.socket(`${name}/beside`)); // of the same connection
  await Promise.all(beside.map(client => next(client, 'connect')));
  const told = [alice, bob].map(({ client }) => next(client, 'disconnect'));
  nsp(0).except(carol.id).disconnectSockets();
  for (const [reason] of await Promise.all(told)) assert.equal(reason, 'io server disconnect');
  assert.deepEqual(
    [carol.client, ...beside].map(({ connected }) => connected),
    [true, true, true, true],
  );
  const closed = next(carol.client.io, 'close');
  nsp(0).disconnectSockets(true);
  await closed;
  assert.deepEqual(
    beside.map(({ connected }) => connected),
    [true, true, false],
  );
});

holdsWithOthers(
  'acknowledgements that clients do not give are forgotten after the time-out, on every server',
  async ({ t, nsp, enter }) => {
    const people = [await enter(0), await enter(1)];
    const asked = Promise.all(people.map(async ({ socket }) => waitingWhenAsked(socket)));
    await assert.rejects(
      nsp(0)
        .timeout(500)
        .emitWithAck('ask', 2 ** 64),
    ); // it travels encoded; nobody answers
    assert.deepEqual(await asked, [1, 1]);
    await until(t, () => people.every(({ socket }) => waitingFor(socket) === 0));
  },
);

// Servers among themselves

holdsWithOthers('serverCount() counts all', async ({ nsp }) => {
  assert.deepEqual(await Promise.all([0, 1, 2].map(async server => nsp(server).adapter.serverCount())), [3, 3, 3]);
});

holdsWithOthers('serverSideEmit() reaches all servers but its own, in order', async ({ nsp }) => {
  const heard: unknown[][] = [];
  const ends = [1, 2].map(server => next(nsp(server), 'end'));
  for (const server of [0, 1, 2]) nsp(server).on('news', (...args: unknown[]) => heard.push([server, ...args]));
  nsp(0).serverSideEmit('news', 1, { two: ['大'] });
  nsp(0).serverSideEmit('news', 2);
  nsp(0).serverSideEmit('end');
  await Promise.all(ends);
  for (const server of [1, 2]) {
    assert.deepEqual(
      heard.filter(([of]) => of === server),
      [
        [server, 1, { two: ['大'] }],
        [server, 2],
      ],
    );
  }
  assert.equal(heard.length, 4);
});

holdsWithOthers('serverSideEmitWithAck() collects the answers of all other servers', async ({ nsp }) => {
  for (const server of [0, 1, 2]) nsp(server).on('add', (n: number, answer: (sum: number) => void) => answer(n + server));
  const sums = (await nsp(0).serverSideEmitWithAck('add', 10)) as number[];
  assert.deepEqual(sums.sort(), [11, 12]);
});

holdsWithOthers('a listener to serverSideEmit() that throws is nothing to what comes after it', async ({ nsp }) => {
  for (const event of ['bad', 'bad question']) {
    nsp(1).on(event, () => {
      throw new Error('of the app');
    });
  }
  const heard = next(nsp(1), 'good');
  nsp(0).serverSideEmit('bad');
  const asked = nsp(0).serverSideEmitWithAck('bad question');
  asked.catch(() => {}); // nobody answers
  nsp(0).serverSideEmit('good', 1);
  assert.deepEqual(await heard, [1]);
});

holdsWithOthers('serverSideEmitWithAck() rejects where another server answers what cannot be sent', async ({ nsp }) => {
  nsp(1).on('ask', (answer: (value: unknown) => void) => answer(1n));
  nsp(2).on('ask', (answer: (value: unknown) => void) => answer(2));
  await assert.rejects(nsp(0).serverSideEmitWithAck('ask'), /cannot send its answer: .*BigInt/);
});

holdsWithOthers('serverSideEmit() carries bytes, there and back', async ({ nsp }) => {
  const heard = next(nsp(1), 'bytes');
  nsp(2).on('bytes', (_bytes: unknown, answer: (value: unknown) => void) => answer(null));
  const asked = nsp(0).serverSideEmitWithAck('bytes', { deep: [BYTES] }) as Promise<unknown[]>;
  const [args, answer] = (await heard) as [unknown, (value: unknown) => void];
  answer([BYTES, new Date(0)]);
  const answers = await asked;
  assert.deepEqual(args, { deep: [BYTES] });
  assert.deepEqual(
    answers.find(one => one !== null),
    [BYTES, '1970-01-01T00:00:00.000Z'],
  );
});
