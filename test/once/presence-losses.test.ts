/** Presence where messages between processes are lost, come late, or in another order: at rest each process knows who is there. */
import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { test, type TestContext } from 'node:test';
import type { Namespace } from 'socket.io';
import type { Presence, Present } from 'egg-socket.io';
import { Presences, Replication } from '../support/parts';
import { type Random, randomFrom } from '../support/random';

const ROOMS = ['one', 'two', 'three'];
const USERS = 20;
const PROCESSES = 4;
/** In ms: more than it takes to collect changes and to answer. */
const BEAT = 200;

/** The way between the processes. */
class Network {
  readonly processes: Process[] = [];
  /** The part of the messages that are lost, in percent. */
  loss = 0;

  constructor(readonly random: Random) {}

  send(from: Process, text: string): void {
    for (const to of this.processes)
      if (to !== from && !from.isCutOff && !to.isCutOff && this.random(100) >= this.loss)
        setTimeout(() => void to.replication.receive(text), this.random(20));
  }
}

/** A process with connections that come and go. */
class Process {
  readonly replication: InstanceType<typeof Replication>;
  isCutOff = false;
  /** By socket: the user, and the rooms. */
  readonly clients = new Map<string, { readonly user: string; readonly rooms: Set<string> }>();
  readonly #random: Random;
  readonly #nsp = Object.assign(new EventEmitter(), {
    name: '/',
    server: {},
    adapter: Object.assign(new EventEmitter(), { socketRooms: (id: string) => new Set([`$io:user:${this.clients.get(id)?.user}`]) }),
    sockets: new Map<string, unknown>(),
  });

  constructor(name: string, network: Network) {
    this.#random = network.random;
    const self = { id: name };
    const namespaces = new Map([['/', { presence: { of: () => ({ grace: 0 }) } as never }]]); // all that is used of patterns
    const presences = new Presences({ namespaces, tell: () => {}, self });
    presences.addTo(this.#nsp as unknown as Namespace); // all that is used of it
    const link = { isDown: false, workers: undefined, send: (text: string) => network.send(this, text) };
    this.replication = presences.replication = new Replication(self, presences, link);
    this.replication.interval = BEAT;
    network.processes.push(this);
    this.replication.start();
  }

  presence(room: string): Presence {
    return (this.#nsp as unknown as { presence(room: string): Presence }).presence(room); // addTo() has given it the method
  }

  /** Somebody comes, enters a room, changes there or leaves it. */
  act(): void {
    const id = pick(this.#random, [...this.clients.keys()]);
    const client = this.clients.get(id ?? '');
    const room = pick(this.#random, ROOMS) ?? '';
    if (id === undefined || !client || this.#random(10) < 3) this.#come();
    else if (!client.rooms.has(room)) {
      client.rooms.add(room);
      this.#nsp.adapter.emit('join-room', room, id);
    } else if (this.#random(2) === 0) this.presence(room).set({ id }, this.#random(1000));
    else {
      client.rooms.delete(room);
      this.#nsp.adapter.emit('leave-room', room, id);
    }
  }

  #come(): void {
    const id = `socket ${this.clients.size}`;
    this.clients.set(id, { user: String(this.#random(USERS)), rooms: new Set() });
    this.#nsp.sockets.set(id, { id, nsp: this.#nsp, conn: { protocol: 4 } });
  }
}

test('messages of presence are lost, late and out of order, and a process is cut off for a while: two beats later all know the truth', t => {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'] });
  const network = new Network(randomFrom(5));
  for (let n = 0; n < PROCESSES; n++) void new Process(`process ${n}`, network);
  t.after(() => {
    for (const { replication } of network.processes) replication.close();
  });
  let wrong = 0;
  for (let round = 0; round < 30; round++) {
    network.loss = [0, 10, 50][round % 3] ?? 0;
    const victim = pick(network.random, network.processes);
    for (let step = 0; step < 40; step++) {
      for (const process of network.processes) process.act();
      if (victim) victim.isCutOff = step >= 5 && step < 35; // for longer than it takes to be taken for gone
      pass(t, 50);
    }
    if (problemOf(network) !== undefined) wrong++;
    network.loss = 0;
    pass(t, 2 * BEAT + 100);
    assert.equal(problemOf(network), undefined, `round ${round}`);
  }
  assert.ok(wrong > 10, `there was something to mend only ${wrong} times`);
});

/** Lets the time pass in small steps, so that timers that begin meanwhile end when they should. */
function pass(t: TestContext, ms: number): void {
  for (let passed = 0; passed < ms; passed++) t.mock.timers.tick(1);
}

function pick<One>(random: Random, all: readonly One[]): One | undefined {
  return all[random(all.length)];
}

/** What is wrong with what the processes know. Undefined if all know the truth, and the same metadata. */
function problemOf({ processes }: Network): string | undefined {
  for (const room of ROOMS) {
    const clients = processes.flatMap(({ clients }) => [...clients.values()]);
    const there = new Set(clients.filter(({ rooms }) => rooms.has(room)).map(({ user }) => user));
    const known = processes.map(process => sorted(process.presence(room).list()));
    for (const list of known) if (JSON.stringify(list) !== JSON.stringify(known[0])) return `room ${room}: ${JSON.stringify(known)}`;
    const ids = known[0]?.map(({ id }) => id);
    if (String(ids) !== String([...there].sort())) return `room ${room}: ${String(ids)}, and there are ${String([...there].sort())}`;
  }
  return undefined;
}

function sorted(list: Present[]): Present[] {
  return list.sort((a, b) => (a.id < b.id ? -1 : 1));
}
