/** That every kind of value arrives by every way as it does at a client of the same worker: a plain server of Socket.IO says how. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import type { Namespace, Server, Socket } from 'socket.io';
import { type AdapterServer, allKnown, enter, type Join, type Person, startServer } from './adapters';
import { ROOT } from './app';
import { next } from './client';
import { type Cell, CELLS, differences, LOST, REFUSED, THROWN } from './values';

type Parser = Server['_parser'];

const EVENT = 2; // https://github.com/socketio/socket.io-protocol#packet-types

/** What apps may set as init.parser. */
const PARSERS: Record<string, Parser | undefined> = {
  'the parser of Socket.IO': undefined,
  'the MessagePack parser': require(join(ROOT, 'test/parsers/node_modules/socket.io-msgpack-parser')) as Parser,
};

/** By the index of a cell, what has arrived of it. */
type Arrived = unknown[];

/** What each cell is to be. */
interface Expected {
  /** The indexes of what a plain server sends, though no official client takes it; here it throws. */
  readonly refused: readonly number[];
  readonly emitted: Arrived;
  /** Between servers nobody counts attachments. */
  readonly amongServers: Arrived;
  readonly acknowledged: Arrived;
}

/**
 * @param alone there is one server only
 * @param recovers clients that come back get what they have missed, with connection state recovery
 */
export function valuesConform(
  name: string,
  start: (t: TestContext) => Promise<Join>,
  { alone = false, recovers = false }: { readonly alone?: boolean; readonly recovers?: boolean } = {},
): void {
  for (const [what, parser] of Object.entries(PARSERS)) {
    for (const withRecovery of recovers ? [false, true] : [false]) {
      test(`${name}, ${what}${withRecovery ? ', with recovery' : ''}: values`, { timeout: 120_000 }, async t => {
        const options = { ...(parser && { parser }), ...(withRecovery && { connectionStateRecovery: {} }) };
        const expected = await expectedOf(t, parser);
        const join = await start(t);
        const one = await join(options);
        const other = alone ? one : await join(options);
        if (!alone) await allKnown([one, other]);
        await runCases(t, [one, other], { expected, parser, alone, withRecovery });
      });
    }
  }
}

interface Circumstances {
  readonly expected: Expected;
  readonly parser: Parser | undefined;
  readonly alone: boolean;
  readonly withRecovery: boolean;
}

async function runCases(t: TestContext, servers: [AdapterServer, AdapterServer], circumstances: Circumstances): Promise<void> {
  const { expected, parser, alone, withRecovery } = circumstances;
  const { refused } = expected;
  const [here, there] = servers.map(({ io }) => io.of('/')) as [Namespace, Namespace];
  const alice = await enter(t, servers[0], '/', { parser });
  const bob = await enter(t, servers[1], '/', { parser });
  const others = here.to(bob.id).timeout(1000); // nobody acknowledges

  await t.test('what is emitted arrives at clients of this server', async () => {
    check(await collect(alice, event => emitAll(here, event, refused)), expected.emitted);
  });
  await t.test('what is emitted arrives at clients of another server', async () => {
    check(await collect(bob, event => emitAll(here, event, refused)), expected.emitted);
  });
  await t.test('what is emitted for an acknowledgement arrives there', async () => {
    const askAll = (event: string): number[] => {
      const thrown = sendAll((index, value) => others.emit(event, index, value, () => {}), refused);
      others.emit(`end of ${event}`, () => {});
      return thrown;
    };
    check(await collect(bob, askAll), expected.emitted);
  });
  await t.test('what clients acknowledge arrives at the server that has asked', async () => {
    check(await acknowledgementsOf(bob, here, expected.emitted), expected.acknowledged);
  });
  if (withRecovery) {
    await t.test('what a client has missed arrives when it is back', async () => {
      const heard = next(bob.client, 'before');
      here.emit('before'); // it has an offset from now on
      await heard;
      const gone = next(bob.socket, 'disconnect');
      bob.client.io.engine.close();
      await gone;
      const back = next(bob.client, 'connect');
      const sendAndReturn = (event: string): number[] => {
        const thrown = emitAll(here, event, refused);
        bob.client.connect();
        return thrown;
      };
      check(await collect(bob, sendAndReturn), expected.emitted);
      await back;
      assert.equal(bob.client.recovered, true);
    });
  }
  if (!alone) await casesAmongServers(t, here, there, bob, expected);

  await t.test('what no client takes throws where it is emitted, and reaches nobody', async () => {
    const accepted: string[] = [];
    for (const { name, make } of refused.map(index => CELLS[index] as Cell)) {
      // an index of it
      try {
        here.emit('cell', 'refused', make(), 'last');
        accepted.push(name);
      } catch {
        // as it is to be
      }
    }
    assert.deepEqual(accepted, []);
    await collect(bob, event => emitAll(here, event, [...CELLS.keys()])); // the clients are there
  });
}

async function casesAmongServers(t: TestContext, here: Namespace, there: Namespace, bob: Person, expected: Expected): Promise<void> {
  await t.test('serverSideEmit()', async () => {
    const arrived = nothing();
    there.on('cell', (index: number, value: unknown) => void (arrived[index] = value));
    const end = next(there, 'end');
    const thrown = sendAll((index, value) => here.serverSideEmit('cell', index, value, 'last'));
    here.serverSideEmit('end');
    await end;
    check(withThrown(arrived, thrown), expected.amongServers);
  });
  await t.test('the arguments and the answers of serverSideEmitWithAck()', async () => {
    const asked = nothing();
    const answered = nothing();
    there.on('ask', (index: number, value: unknown, answer: (value: unknown) => void) => {
      asked[index] = value;
      answer('heard');
    });
    there.on('answer', (index: number, answer: (value: unknown) => void) => answer(CELLS[index]?.make()));
    await inBatches(async (index, make) => {
      const question = here.serverSideEmitWithAck('ask', index, make()) as Promise<unknown>;
      if (!(await isDone(question))) asked[index] = withThrown(asked, [index])[index];
      const answers = here.serverSideEmitWithAck('answer', index) as Promise<unknown[]>;
      answered[index] = await answers.then(
        ([answer]) => answer,
        () => THROWN,
      );
    });
    check(asked, expected.amongServers);
    check(
      answered,
      expected.amongServers.map((value, index) => (CELLS[index]?.name === 'undefined, alone' ? undefined : value)),
    ); // as without an answer
  });
  await t.test('socket.data', async () => {
    const arrived: Arrived = [];
    const socket = there.sockets.get(String(bob.client.id)) as Socket; // another one by now, if bob has been away
    for (const [index, { make }] of CELLS.entries()) {
      socket.data = [make()];
      const [found] = await here.in(bob.id).fetchSockets();
      arrived[index] = found ? (found.data as unknown[])[0] : THROWN;
    }
    check(arrived, expected.amongServers);
  });
}

function check(arrived: Arrived, expected: Arrived): void {
  const all = differences(arrived, expected);
  assert.equal(all.length, 0, `${all.length} of ${CELLS.length} differ:\n${all.join('\n')}`);
}

/** What a plain server of Socket.IO and its clients get. */
async function expectedOf(t: TestContext, parser: Parser | undefined): Promise<Expected> {
  const server = await startServer(t, { ...(parser && { parser }) });
  const nsp = server.io.of('/');
  const person = await enter(t, server, '/', { parser });
  const refused = [...CELLS.keys()].filter(index => parser === undefined && REFUSED.has(CELLS[index]?.name ?? ''));
  const emitted = await collect(person, event => emitAll(nsp, event, refused));
  const { Encoder, Decoder } = server.io._parser;
  const amongServers = CELLS.map(({ name, make }, index) => {
    if (!refused.includes(index)) return emitted[index];
    if (!name.startsWith('eleven Buffers')) return THROWN;
    const decoder = new Decoder({ maxAttachments: 100 });
    let value: unknown;
    decoder.on('decoded', packet => (value = (packet.data as unknown[])[1])); // as it has been made
    const packet = { type: EVENT, nsp: '/', data: ['cell', make()] } as never; // its type is an enum of a package that is no dependency
    for (const frame of new Encoder().encode(packet)) decoder.add(frame);
    return value;
  });
  return { refused, emitted, amongServers, acknowledged: await acknowledgementsOf(person, nsp, emitted) };
}

function nothing(): Arrived {
  return CELLS.map(() => LOST);
}

function withThrown(arrived: Arrived, thrown: readonly number[]): Arrived {
  return arrived.map((value, index) => {
    if (!thrown.includes(index)) return value;
    return value === LOST ? THROWN : 'it has been thrown, and sent';
  });
}

/** Asks by each cell, not by all at once: what takes a busy machine long would be taken for an outage. */
async function inBatches(ask: (index: number, make: () => unknown) => Promise<void>): Promise<void> {
  for (let start = 0; start < CELLS.length; start += 40)
    await Promise.all(CELLS.slice(start, start + 40).map(async ({ make }, index) => ask(start + index, make)));
}

async function isDone(work: Promise<unknown>): Promise<boolean> {
  return work.then(
    () => true,
    () => false,
  );
}

/** Sends all cells but those of `leftOut`, and returns the indexes of those that throw. */
function sendAll(send: (index: number, value: unknown) => unknown, leftOut: readonly number[] = []): number[] {
  const thrown: number[] = [];
  for (const [index, { make }] of CELLS.entries()) {
    try {
      if (!leftOut.includes(index)) send(index, make());
    } catch {
      thrown.push(index);
    }
  }
  return thrown;
}

function emitAll(nsp: Namespace, event: string, leftOut: readonly number[]): number[] {
  const thrown = sendAll((index, value) => nsp.emit(event, index, value, 'last'), leftOut); // a function that is last is for the acknowledgement
  nsp.emit(`end of ${event}`);
  return thrown;
}

/** How often cells have been sent: each time by an event of its own, since others than those who wait for it get it as well, and later. */
let rounds = 0;

/** What arrives of all cells at a client. @param send sends them by an event, then 'end of' that event, and returns those that throw */
async function collect({ client }: Person, send: (event: string) => number[]): Promise<Arrived> {
  const event = `cells ${++rounds}`;
  const arrived = nothing();
  const listener = (index: number, value: unknown): void => void (arrived[index] = value);
  client.on(event, listener);
  const end = new Promise<void>((resolve, reject) => {
    const fail = (reason: string): void => reject(new Error(`the client has gone: ${reason}`));
    client.once('disconnect', fail);
    client.once(`end of ${event}`, () => {
      client.off('disconnect', fail);
      resolve();
    });
  });
  const thrown = send(event);
  await end;
  client.off(event, listener);
  return withThrown(arrived, thrown);
}

/** What a server gets of all cells when a client acknowledges with them, but for those that cannot be sent. */
async function acknowledgementsOf({ client, id }: Person, nsp: Namespace, emitted: Arrived): Promise<Arrived> {
  client.on('acknowledge', (index: number, ack: (value: unknown) => void) => {
    ack(emitted[index] === THROWN || emitted[index] === LOST ? 'left out' : CELLS[index]?.make());
  });
  const operator = nsp.to(id).timeout(20_000);
  const ask = async (index: number): Promise<unknown> =>
    operator.emitWithAck('acknowledge', index).then(
      ([answer]: unknown[]) => answer,
      () => LOST,
    );
  const answers: Arrived = [];
  await inBatches(async index => void (answers[index] = await ask(index)));
  client.off('acknowledge');
  return answers;
}
