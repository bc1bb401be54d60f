/** Questions of workers to the agent, through the hub. */
import assert from 'node:assert/strict';
import { Socket } from 'node:net';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { allKnown, enter } from '../support/adapters';
import { hubPath, startHub, startWorker } from '../support/hub';
import { until } from '../support/until';

const DOWN = { name: 'OutageError', code: 'IO_HUB_DOWN' };

test('workers ask the agent: values come back as JSON, each reply at its question, and failures with their messages', async t => {
  const path = await hubPath(t);
  const hub = await startHub(t, path);
  let last = 0;
  const slow: (() => void)[] = [];
  hub.answer('count', request => ({ request, count: ++last }));
  hub.answer('slow', async request => new Promise(resolve => slow.push(() => resolve(request))));
  hub.answer('nothing', () => undefined);
  hub.answer('fail', () => {
    throw new RangeError('on purpose');
  });
  hub.answer('circle', () => {
    const circle: { self?: object } = {};
    return (circle.self = circle);
  });
  const [one, other] = [(await startWorker(t, path, 'one')).link.agent, (await startWorker(t, path, 'other')).link.agent];
  assert.deepEqual(await one.ask('count', { text: 'ünï\u0000', list: [1, null] }), {
    request: { text: 'ünï\u0000', list: [1, null] },
    count: 1,
  });
  assert.deepEqual(await other.ask('count', undefined), { count: 2 });
  const answers = [one.ask('slow', 1), one.ask('slow', 2), other.ask('slow', 3)];
  await until(t, () => slow.length === 3);
  for (const answer of slow.splice(0).toReversed()) answer();
  assert.deepEqual(await Promise.all(answers), [1, 2, 3]);
  assert.equal(await one.ask('nothing', 1), undefined);
  await assert.rejects(one.ask('fail', 1), { name: 'Error', message: 'on purpose' });
  await assert.rejects(one.ask('circle', 1), /circular/i);
  await assert.rejects(one.ask('unknown', 1), { message: "the agent has no answers to 'unknown'" });
  const large = 'x'.repeat(3_000_000);
  assert.deepEqual(await one.ask('count', large), { request: large, count: 3 });
});

test('in an outage of the hub a question fails at once, and so does one that waits; after it, questions are answered again', async t => {
  const path = await hubPath(t);
  const hub = await startHub(t, path);
  let asked = 0;
  hub.answer('never', async () => {
    asked++;
    return new Promise(() => {});
  });
  const { link } = await startWorker(t, path, 'one');
  const waiting = assert.rejects(link.agent.ask('never', 1), DOWN);
  await until(t, () => asked === 1);
  await hub.close();
  await waiting;
  await assert.rejects(link.agent.ask('never', 1), DOWN);
  const next = await startHub(t, path);
  next.answer('echo', request => request);
  await until(t, async () =>
    link.agent.ask('echo', 'back').then(
      reply => reply === 'back',
      () => false,
    ),
  );
  await link.close();
  await assert.rejects(link.agent.ask('echo', 1), DOWN);
});

test('an agent that does not answer in time counts as out', async t => {
  const path = await hubPath(t);
  const hub = await startHub(t, path);
  hub.answer('never', async () => new Promise(() => {}));
  const { link } = await startWorker(t, path, 'one');
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const failed = assert.rejects(link.agent.ask('never', 1), DOWN);
  t.mock.timers.tick(5000);
  t.mock.timers.reset();
  await failed;
});

test('questions that are asked together leave in one write, and so do their replies', async t => {
  const path = await hubPath(t);
  const hub = await startHub(t, path);
  hub.answer('echo', request => request);
  const { link } = await startWorker(t, path, 'one');
  await link.agent.ask('echo', 0);
  // _writev, which writes several at once, is declared as one that there may not be
  const writes = [t.mock.method(Socket.prototype, '_write'), t.mock.method(Socket.prototype, '_writev' as '_write')];
  const numbers = Array.from({ length: 10 }, (_, n) => n);
  assert.deepEqual(await Promise.all(numbers.map(async n => link.agent.ask('echo', n))), numbers);
  assert.equal(
    writes.reduce((sum, { mock }) => sum + mock.callCount(), 0),
    2,
  );
});

test('the agent forwards an event with its reply, in order with others, and not where it fails or cannot be reached', async t => {
  const path = await hubPath(t);
  const hub = await startHub(t, path);
  let last = 0;
  hub.answer('number', (request, frames) => ({ request, frames, offset: ++last }));
  hub.answer('fail', () => {
    throw new RangeError('on purpose');
  });
  const [one, other] = [await startWorker(t, path, 'one'), await startWorker(t, path, 'other')];
  await allKnown([one, other]);
  const { heard } = await enter(t, other);
  const { agent } = one.link;
  const replies: unknown[] = [];
  /** A broadcast of the hub's adapter, which does not read the reply. */
  const publish = (event: string, kind = 'number'): boolean =>
    agent.publish(
      [`2["${event}"]`],
      { event: { type: 'broadcast', nsp: '/' }, kind, request: 'please' },
      reply => replies.push(reply),
      ({ message }) => replies.push(message),
    );
  one.io.emit('before');
  const sent = ['first', 'second'].map(event => publish(event));
  one.io.emit('after');
  publish('failed', 'fail');
  one.io.emit('end');
  await until(t, () => heard.at(-1)?.[0] === 'end' && replies.length === 3);
  assert.deepEqual(heard.flat(), ['before', 'first', 'second', 'after', 'end']);
  assert.deepEqual(replies, [
    { request: 'please', frames: ['2["first"]'], offset: 1 },
    { request: 'please', frames: ['2["second"]'], offset: 2 },
    'on purpose',
  ]);
  await one.link.close();
  assert.deepEqual([...sent, publish('late')], [true, true, false]);
});

test('a reply that nobody waits for leaves with the next one, or else after 20 ms', async t => {
  const path = await hubPath(t);
  const hub = await startHub(t, path);
  const asked: unknown[] = [];
  hub.answer('number', request => asked.push(request));
  const { agent } = (await startWorker(t, path, 'one')).link;
  const replies: unknown[] = [];
  const publish = async (isAwaited: boolean): Promise<void> =>
    new Promise((resolve, reject) => {
      const settle = (reply: unknown): void => resolve(void replies.push(reply));
      agent.publish(['2["event"]'], { event: { type: 'broadcast', nsp: '/' }, kind: 'number', request: 1, isAwaited }, settle, reject);
    });
  t.mock.timers.enable({ apis: ['setTimeout'] });
  void publish(false);
  void publish(false);
  await publish(true);
  assert.deepEqual(replies, [1, 2, 3]);
  const held = publish(false);
  await agent.ask('number', 1); // the reply to this one takes it along
  assert.equal(replies.length, 4);
  const alone = publish(false);
  while (asked.length < 6) await nextTurn();
  t.mock.timers.tick(19);
  for (let turn = 0; turn < 20; turn++) await nextTurn();
  assert.equal(replies.length, 4);
  t.mock.timers.tick(1);
  t.mock.timers.reset();
  await Promise.all([held, alone]);
  assert.deepEqual(replies.length, 5);
});
