/**
 * Presence on several workers: workers are killed at random while clients come and go, and at rest each worker and each client knows who is there.
 * `npm run soak` kills a hundred.
 */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Present, PresenceChange } from 'egg-socket.io';
import WebSocket from 'ws';
import type { Files } from '../support/app';
import { type Cluster, startCluster } from '../support/cluster';
import { processesOf } from '../support/processes';
import { until } from '../support/until';

const ROUNDS = Number(process.env['PRESENCE_ROUNDS'] ?? 3);
const CLIENTS = 500;
/** Fewer than clients: some have two devices. */
const USERS = 300;
const ROOMS = 4;
const WORKERS = 3;

/** @param grace in ms */
const filesWith = (grace: number): Files => ({
  'config/config.default.js': `
    exports.io = { namespace: { '/': { connectionMiddleware: ['user'], presence: { 'room:*': { grace: ${grace} } } } } };`,
  'app/io/middleware/user.js': `
    module.exports = app => async (ctx, next) => {
      ctx.socket.user = ctx.socket.handshake.auth.user;
      await next();
    };`,
  'app/controller/home.js': `
    exports.list = async ctx => {
      const lists = Array.from({ length: ${ROOMS} }, (_, room) => ctx.app.io.presence('room:' + room).list());
      ctx.set('connection', 'close'); // the next request may reach another worker
      ctx.body = { pid: process.pid, lists };
    };`,
  'app/router.js': `
    module.exports = app => {
      app.get('/list', app.controller.home.list);
      app.io.route('join', async ctx => {
        const [room] = ctx.args;
        await ctx.socket.join(room);
        const presence = app.io.presence(room);
        presence.set(ctx.socket, ctx.socket.user.id + ' here');
        return presence.list();
      });
    };`,
});

/** A client by hand, which costs a tenth of the official one. It connects again when its connection ends. */
class Person {
  readonly user: string;
  readonly room: number;
  /** What the person knows of the room: metadata by user. Undefined before the list has come. */
  known: Map<string, unknown> | undefined;
  /** Whether the person is there, or is about to be. */
  isActive = false;
  onChange: (change: PresenceChange) => void = () => {};
  readonly #url: string;
  #webSocket: WebSocket | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor({ url }: Cluster, index: number) {
    this.#url = `${url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`;
    this.user = String(index % USERS);
    this.room = index % ROOMS;
  }

  come(): void {
    this.isActive = true;
    this.#open();
  }

  go(): void {
    this.isActive = false;
    clearTimeout(this.#timer);
    if (this.#webSocket?.readyState === WebSocket.OPEN) this.#webSocket.send('41'); // DISCONNECT
    this.#webSocket?.close();
  }

  /** The network is cut. */
  vanish(): void {
    this.#webSocket?.terminate();
  }

  #open(): void {
    // Node's cluster loses a connection that it has handed to a worker which is killed before it takes it: it stays open, and nobody answers
    const webSocket = new WebSocket(this.#url, { perMessageDeflate: false, handshakeTimeout: 3000 });
    this.#webSocket = webSocket;
    this.known = undefined;
    webSocket.on('error', () => {}); // 'close' follows
    webSocket.on('message', (data: Buffer) => {
      if (webSocket === this.#webSocket) this.#receive(webSocket, data.toString());
    });
    webSocket.on('close', () => {
      if (webSocket !== this.#webSocket) return;
      this.known = undefined;
      if (this.isActive) this.#timer = setTimeout(() => this.#open(), 50 + 150 * Math.random());
    });
  }

  /** Frames of Engine.IO, and of Socket.IO therein. */
  #receive(webSocket: WebSocket, frame: string): void {
    if (frame.startsWith('0')) webSocket.send(`40${JSON.stringify({ user: this.user })}`);
    else if (frame === '2') webSocket.send('3');
    else if (frame.startsWith('40')) webSocket.send(`420["join","room:${this.room}"]`);
    else if (frame.startsWith('44'))
      webSocket.close(); // it comes again
    else if (frame.startsWith('430'))
      this.known = mapOf((JSON.parse(frame.slice(3)) as [Present[]])[0]); // what the route answers
    else if (frame.startsWith('42')) {
      const [, change] = JSON.parse(frame.slice(2)) as [string, PresenceChange]; // the only event
      const { joined, changed, left } = change;
      this.onChange(change);
      for (const { id, meta } of [...joined, ...changed]) this.known?.set(id, meta);
      for (const { id } of left) this.known?.delete(id);
    }
  }
}

test(
  'workers are killed at random under 500 clients: at rest each worker and each client knows who is there',
  { timeout: 120_000 + ROUNDS * 20_000 },
  async t => {
    const cluster = await startCluster(t, filesWith(500), { workers: WORKERS });
    const people = Array.from({ length: CLIENTS }, (_, index) => new Person(cluster, index));
    t.after(() => {
      for (const person of people) person.go();
    });
    for (const person of people) person.come();
    await rest(t, cluster, people);
    for (let round = 0; round < ROUNDS; round++) {
      for (const person of sample(people, 50)) if (person.isActive) person.go();
      for (const person of sample(people, 50)) if (!person.isActive) person.come();
      const { workers } = processesOf(cluster.master.pid ?? 0);
      const [victim] = sample(workers, 1);
      assert.ok(victim !== undefined);
      process.kill(victim, 'SIGKILL');
      if (Math.random() < 0.5) for (const person of sample(people, 20)) person.vanish();
      await rest(t, cluster, people, victim);
    }
  },
);

test('the agent restarts: who is there stays, and nobody hears of anything', { timeout: 60_000 }, async t => {
  const cluster = await startCluster(t, filesWith(0), { workers: WORKERS });
  const people = Array.from({ length: 28 }, (_, index) => new Person(cluster, index));
  t.after(() => {
    for (const person of people) person.go();
  });
  const heard: string[] = [];
  /** A person enters each room. When all have been told of that, they have been told of what was before. */
  const enterEach = async (): Promise<void> => {
    const newcomers = Array.from({ length: ROOMS }, (_, n) => new Person(cluster, people.length + n));
    people.push(...newcomers);
    const untold = new Set(people);
    for (const person of people) {
      const newcomer = newcomers.find(({ room }) => room === person.room)?.user;
      person.onChange = ({ joined, changed, left }) => {
        if (joined.some(({ id }) => id === newcomer)) untold.delete(person);
        for (const { id } of [...joined, ...changed, ...left]) if (id !== newcomer) heard.push(id);
      };
    }
    for (const person of newcomers) person.come();
    await until(t, () => untold.size === 0);
    await rest(t, cluster, people);
  };
  for (const person of people) person.come();
  await rest(t, cluster, people);
  await enterEach();
  heard.length = 0;
  const { pid = 0 } = cluster.master;
  const { agent = 0 } = processesOf(pid);
  process.kill(agent, 'SIGKILL');
  await until(t, async () => {
    assert.equal(await wrongWorker(cluster, people, undefined), undefined);
    return (await cluster.log()).split('is back').length > WORKERS;
  });
  await enterEach();
  assert.deepEqual(heard, []);
});

/** Waits until everybody knows the truth. Fails with what is wrong if that takes longer than it may. */
async function rest(t: TestContext, cluster: Cluster, people: readonly Person[], killed?: number): Promise<void> {
  const end = performance.now() + 60_000;
  for (;;) {
    const problem = (await wrongWorker(cluster, people, killed)) ?? wrongClient(people);
    if (problem === undefined) return;
    if (performance.now() > end) assert.fail(problem);
    await sleep(100, undefined, { signal: t.signal }); // nothing announces it, and asking is work for the workers
  }
}

async function wrongWorker(cluster: Cluster, people: readonly Person[], killed: number | undefined): Promise<string | undefined> {
  const { workers } = processesOf(cluster.master.pid ?? 0);
  if (workers.length !== WORKERS || workers.includes(killed ?? 0)) return `workers ${String(workers)}, of which ${killed} was killed`;
  const asked = new Set<number>();
  for (let n = 0; n < 10 * WORKERS && asked.size < WORKERS; n++) {
    const answer = await fetch(`${cluster.url}/list`)
      .then(async response => (await response.json()) as { pid: number; lists: Present[][] })
      .catch(() => undefined);
    if (!answer) return 'no answer';
    asked.add(answer.pid);
    for (const [room, list] of answer.lists.entries()) {
      const difference = differenceOf(mapOf(list), truthOf(people, room));
      if (difference !== undefined) return `worker ${answer.pid}, room ${room}: ${difference}`;
    }
  }
  return asked.size < WORKERS ? `only ${asked.size} workers answer` : undefined;
}

function wrongClient(people: readonly Person[]): string | undefined {
  const truths = Array.from({ length: ROOMS }, (_, room) => truthOf(people, room));
  for (const { isActive, known, room, user } of people) {
    if (!isActive) continue;
    if (!known) return `user ${user} has not entered`;
    const difference = differenceOf(known, truths[room] ?? new Map());
    if (difference !== undefined) return `what user ${user} knows of room ${room}: ${difference}`;
  }
  return undefined;
}

/** Who is in a room, or about to be. */
function truthOf(people: readonly Person[], room: number): Map<string, unknown> {
  return new Map(people.filter(person => person.isActive && person.room === room).map(({ user }) => [user, `${user} here`]));
}

function mapOf(list: readonly Present[]): Map<string, unknown> {
  const map = new Map(list.map(({ id, meta }) => [id, meta]));
  assert.equal(map.size, list.length, 'nobody is there twice');
  return map;
}

function differenceOf(known: ReadonlyMap<string, unknown>, truth: ReadonlyMap<string, unknown>): string | undefined {
  const missing = [...truth].filter(([id, meta]) => known.get(id) !== meta).map(([id]) => id);
  const ghosts = [...known.keys()].filter(id => !truth.has(id));
  return missing.length + ghosts.length === 0 ? undefined : `missing or other ${String(missing)}; ghosts ${String(ghosts)}`;
}

function sample<One>(all: readonly One[], count: number): One[] {
  return Array.from({ length: count }, () => all[Math.floor(Math.random() * all.length)]).filter(one => one !== undefined);
}
