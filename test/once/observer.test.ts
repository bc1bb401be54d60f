/** What a process does for the admin page, and what of it stays when nobody looks any more. */
import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { test } from 'node:test';
import { Largest, Observer } from '../support/parts';

type Runtime = ConstructorParameters<typeof Observer>[0];
type Engine = Parameters<Observer['look']>[0][number];
type Watched = Parameters<Observer['write']>[0];

/** The part of it that is used. */
const newRuntime = (): Runtime => ({ packetWatch: undefined }) as Runtime;

function newSocket(): Watched['socket'] {
  const socket = Object.assign(new EventEmitter(), { onAnyOutgoing() {}, offAnyOutgoing() {} });
  return socket as unknown as Watched['socket']; // the part of it that is used
}

test('events and the connections of all engines are counted while somebody looks, and nothing stays behind', t => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const runtime = newRuntime();
  const observer = new Observer(runtime);
  const engines = [new EventEmitter(), new EventEmitter()];
  for (const count of [2, 4]) {
    observer.look(engines as unknown as Engine[]); // the part of them that is used
    assert.equal(runtime.packetWatch, observer);
    for (const engine of engines) engine.emit('connection');
    t.mock.timers.tick(10_000);
    assert.equal(runtime.packetWatch, undefined);
    for (const engine of engines) assert.equal(engine.listenerCount('connection'), 0);
    for (const engine of engines) engine.emit('connection');
    assert.equal(observer.counts.connections, count);
  }
});

test('the events of a socket are recorded until 10 s after the last question, the latest 200', t => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const observer = new Observer(newRuntime());
  const socket = newSocket();
  const write = (event: string): void => observer.write({ socket } as Watched, event, 'OK'); // the part that is used
  write('before');
  assert.deepEqual(observer.eventsOf(socket, 0), []);
  for (let i = 0; i < 205; i++) write(`event ${i}`);
  const events = observer.eventsOf(socket, 0);
  assert.deepEqual([events.length, events[0]?.event], [200, 'event 5']);
  t.mock.timers.tick(10_000);
  assert.equal(socket.listenerCount('disconnect'), 0);
  write('after');
  assert.deepEqual(observer.eventsOf(socket, 0), []);
});

test('a page that has the events of a socket from one process gets those that come after it has moved to another one', t => {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'], now: Date.now() });
  const after = [0];
  for (const name of ['old', 'new']) {
    const [observer, socket] = [new Observer(newRuntime()), newSocket()];
    observer.eventsOf(socket, 0);
    for (const event of name === 'old' ? ['old', 'old', 'old'] : ['new']) observer.write({ socket } as Watched, event, 'OK'); // as above
    const seen = observer.eventsOf(socket, after.at(-1) ?? 0);
    assert.deepEqual([...new Set(seen.map(({ event }) => event))], [name]);
    after.push(...seen.map(({ number }) => number));
    t.mock.timers.tick(1);
  }
  assert.deepEqual(
    after,
    [...new Set(after)].toSorted((one, other) => one - other),
  );
});

test('of many names, the 1,000 with the most sockets are listed in order, and all are counted', () => {
  const largest = new Largest();
  const all = Array.from({ length: 10_000 }, (_, i): [string, number] => [`room ${(i * 7919) % 10_000}`, (i * 104_729) % 50]);
  for (const entry of all) largest.add(...entry);
  const { entries, count } = largest.list;
  assert.equal(count, all.length);
  const sorted = all.toSorted(([name, sockets], [otherName, others]) => others - sockets || (name < otherName ? -1 : 1));
  assert.deepEqual(entries, sorted.slice(0, 1000));
});
