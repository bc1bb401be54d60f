/**
 * The load generator: a process of its own that opens clients and has them send. For each slice it says what it has
 * used of its core, so that the runner sees whether it was fast enough.
 */
import { createRequire } from 'node:module';
import { setTimeout as wait } from 'node:timers/promises';
import { answer, now } from './child.mjs';
import { Client } from './client.mjs';
import { frame } from './frames.mjs';
import { HttpClient } from './http-client.mjs';
import { PollingClient } from './polling-client.mjs';

/** At most so many connections are being opened at a time. */
const OPENING = 20;

/** Frames with so many different ids of acknowledgements are made beforehand. */
const IDS = 500;

/** How long the last of what was emitted may take, in ms: far more than it does. */
const PATIENCE = 20_000;

/** How long servers get to learn who is in a room, and emits to arrive, in ms: far more than they take. */
const SETTLING = 500;

const PAYLOADS = {
  small: { a: 1, text: 'hello world' },
  text: 'x'.repeat(10_000),
  binary: Buffer.alloc(10_000, 'x'),
};

/** Groups of clients of one server, by id. */
const groups = new Map();

answer({
  /**
   * Opens clients, and keeps them as a group.
   *
   * @param path of the HTTP requests that they send, in place of messages
   * @param polls whether they never leave polling
   * @param isPiped whether to keep only those whose WebSocket comes to its worker by way of another one, or only the others
   * @param isElsewhere whether to keep only the first one, and those that are not at its worker
   */
  async open(id, { count, polls, isPiped, isElsewhere, ...options }) {
    const clients = [];
    groups.set(id, { clients, polls, ...options });
    const Class = options.path ? HttpClient : polls ? PollingClient : Client;
    const openOne = () => Class.open(options);
    let isWanted = isPiped === undefined ? undefined : where => where[1] === isPiped;
    if (isElsewhere) {
      clients.push(await openOne());
      const [first] = await whereIs(clients[0]);
      isWanted = ([worker]) => worker !== first;
    }
    let opening = clients.length;
    const open = async () => {
      while (opening++ < count) clients.push(await (isWanted ? openWhere(isWanted, openOne) : openOne()));
    };
    return observe(() => Promise.all(Array.from({ length: OPENING }, open)));
  },

  async close(id) {
    const { clients } = groups.get(id);
    groups.delete(id);
    await Promise.all(clients.map(client => client.close()));
  },

  /** Sees that the server does what it is measured for: one that answers with an error would be fast. */
  async probe(id, { burst, ...load }) {
    const { clients, ...options } = groups.get(id);
    const [{ data }] = framesOf({ ...options, ...load, ...(burst && { event: 'echo' }) });
    const text = await answerTo(clients[0], data);
    if (!text.endsWith(JSON.stringify([contentOf(load)]))) throw new Error(`the server answers ${text}`);
  },

  /**
   * Has the clients send for some time. A client sends a unit, and the next one when that has been answered: one message
   * that asks for an acknowledgement, or a burst of messages that do not, with one at its end that does.
   *
   * @param inFlight units of each client; or
   * @param atOnce units of all clients: the next one is sent by the next client
   * @param talking how many clients send, if not all
   */
  messages(id, { ms, inFlight, atOnce, talking, ...load }) {
    const { clients: all, ...options } = groups.get(id);
    const clients = all.slice(0, talking);
    const frames = framesOf({ ...options, ...load });
    const latencies = inFlight === 1 ? [] : undefined;
    return observe(
      () =>
        new Promise((resolve, reject) => {
          let isOver = false;
          let sent = 0;
          let answered = 0;
          const send = client => {
            client.sentAt = performance.now();
            client.send(frames[sent++ % frames.length].data);
          };
          for (const client of clients) {
            client.watch(reject);
            client.onAck = () => {
              answered++;
              latencies?.push(performance.now() - client.sentAt);
              if (!isOver) send(atOnce === undefined ? client : clients[sent % clients.length]);
              else if (answered === sent) resolve({ messages: sent * frames[0].messages, ...(latencies && percentiles(latencies)) });
            };
          }
          setTimeout(() => (isOver = true), ms);
          for (let i = 0; i < (atOnce ?? clients.length * (inFlight ?? 1)); i++) send(clients[i % clients.length]);
        }),
    );
  },

  /**
   * Opens clients, as many at each worker of some servers, and keeps them as a group. Emits are to go to all, or to a room.
   *
   * @param members how many enter the room, if there is one: as many of each worker, or all of one
   */
  async spread(id, { ports, count, members, isOneWorker }) {
    const opening = ports.map(port => openOneByOne(port, count / ports.length));
    const clients = (await Promise.all(opening)).flat();
    groups.set(id, { clients });
    const byWorker = new Map();
    for (const client of clients) {
      const [worker] = await whereIs(client);
      byWorker.set(worker, [...(byWorker.get(worker) ?? []), client]);
    }
    const workers = [...byWorker.values()];
    const sizes = workers.map(({ length }) => length);
    if (Math.max(...sizes) > Math.min(...sizes) + 2) throw new Error(`the workers have ${sizes.join(', ')} clients`);
    const inRoom = isOneWorker ? workers[0].slice(0, members) : workers.flatMap(some => some.slice(0, members / workers.length));
    for (const client of members ? inRoom : []) await answerTo(client, frame('420["enter"]'));
    const group = {
      clients,
      receivers: new Set(members ? inRoom : clients),
      senders: workers.map(some => some.at(-1)),
      tell: frame(members ? '42["tell","room"]' : '42["tell"]'),
    };
    groups.set(id, group);
    await probeEmits(group);
  },

  /**
   * Has a client of each worker ask for emits, in turns, and counts what arrives. With a rate, measures how long each takes from emit to arrival.
   *
   * @param inFlight how many emits are on their way; or
   * @param rate how many there are in a second, from the first one on
   */
  emits(id, { ms, inFlight = 1, rate }) {
    const { clients, receivers, senders, tell } = groups.get(id);
    const latencies = [];
    return observe(
      () =>
        new Promise((resolve, reject) => {
          let isOver = false;
          let sent = 0;
          let arrived = 0;
          const send = () => senders[sent++ % senders.length].send(tell);
          const timer = rate && setInterval(send, 1000 / rate);
          const late = setTimeout(() => reject(new Error(`${arrived} of ${sent * receivers.size} have arrived`)), ms + PATIENCE);
          const finish = () => {
            if (!isOver || arrived < sent * receivers.size) return;
            clearTimeout(late);
            resolve({ messages: arrived, ...(rate && percentiles(latencies)) });
          };
          for (const client of clients) {
            client.watch(reject);
            client.onEvent = text => {
              if (!receivers.has(client)) return reject(new Error('a client that is not in the room has heard an emit'));
              arrived++;
              if (rate) latencies.push(msSince(text()));
              else if (!isOver && arrived % receivers.size === 0) send();
              return finish();
            };
          }
          setTimeout(() => {
            isOver = true;
            clearInterval(timer);
            finish();
          }, ms);
          for (let i = 0; i < inFlight; i++) send();
        }),
    );
  },

  /** Has some clients enter the room. The first one, which asks for emits, is not among them. */
  async enter(id, members) {
    const group = groups.get(id);
    group.members = group.clients.slice(1, 1 + members);
    for (const client of group.members) await answerTo(client, frame('420["enter"]'));
  },

  /**
   * Has one client ask for broadcasts, one after the other, and counts what arrives at all of them, or at those of the room. The app may emit
   * several times for each question.
   */
  broadcasts(id, { ms, event, repeats = 1 }) {
    const { clients: all, members, ...options } = groups.get(id);
    const [first] = all;
    const clients = members ?? all;
    const shout = frame(packet({ ...options, event }));
    const expected = clients.length * repeats;
    return observe(
      () =>
        new Promise((resolve, reject) => {
          const until = performance.now() + ms;
          let arrived = 0;
          for (const client of clients) {
            client.watch(reject);
            client.onEvent = () => {
              if (++arrived % expected > 0) return;
              if (performance.now() < until) first.send(shout);
              else resolve({ messages: arrived });
            };
          }
          first.send(shout);
        }),
    );
  },

  /**
   * Opens clients of the official library, with its defaults, and closes them. How many sockets each worker holds, the busiest first; a client
   * counts if it gets an answer over WebSocket.
   */
  async official({ port, protocol = 4, count, ...options }) {
    const io = officialClient(protocol);
    const sockets = [];
    const held = {};
    let opening = 0;
    const open = async () => {
      while (opening++ < count) {
        const socket = io(`http://127.0.0.1:${port}`, { forceNew: true, reconnection: false, ...options });
        sockets.push(socket);
        const worker = await workerOf(socket);
        if (worker !== undefined) held[worker] = (held[worker] ?? 0) + 1;
      }
    };
    await Promise.all(Array.from({ length: OPENING }, open));
    for (const socket of sockets) socket.close();
    return Object.values(held).toSorted((a, b) => b - a);
  },

  /** Begins to open clients of the official library, which come back by themselves with its delays, and keeps them as a group. */
  crowd(id, { port, protocol = 4, count, ...options }) {
    const crowd = new Crowd();
    groups.set(id, crowd);
    const io = officialClient(protocol);
    void Promise.all(
      Array.from({ length: OPENING }, async (_, n) => {
        for (let i = n; i < count; i += OPENING) await crowd.add(io(`http://127.0.0.1:${port}`, { forceNew: true, ...options }));
      }),
    );
  },

  /** From now on, only clients that lose their connection and come back count as answered. */
  expectReturn(id) {
    groups.get(id).answered.clear();
  },

  /** How many clients of a crowd have been answered, and when the last one was. */
  answered(id) {
    const { answered, lastAt } = groups.get(id);
    return { count: answered.size, lastAt };
  },

  /** Has the clients let their workers tell each other something, all at the same time. */
  async flood(id, { ms, bytes }) {
    const { clients } = groups.get(id);
    return observe(async () => {
      const counts = await Promise.all(
        clients.map(async client => JSON.parse((await answerTo(client, frame(`420["flood",${ms},${bytes}]`))).slice(2))[0]),
      );
      return { messages: counts.reduce((sum, count) => sum + count, 0) };
    });
  },
});

/** Clients of the official library that ask whenever they connect. */
class Crowd {
  /** Those with an answer over the connection that they have. */
  answered = new Set();
  lastAt = 0;

  /** Resolves when the client has its first answer. */
  async add(socket) {
    await new Promise(resolve => {
      socket.on('disconnect', () => this.answered.delete(socket));
      socket.on('connect', () =>
        socket.emit('where', () => {
          this.answered.add(socket);
          this.lastAt = now();
          resolve();
        }),
      );
    });
  }
}

function officialClient(protocol) {
  return createRequire(import.meta.url)(protocol === 4 ? 'socket.io-client' : 'socket.io-client-2');
}

async function answerTo(client, data) {
  return new Promise((resolve, reject) => {
    client.onAck = text => resolve(text());
    client.watch(reject);
    client.send(data);
  });
}

/** Opens clients until one is where it is wanted. */
async function openWhere(isWanted, openOne) {
  for (;;) {
    const client = await openOne();
    if (isWanted(await whereIs(client))) return client;
    await client.close();
  }
}

/** The id of the process that holds a client's socket, and whether its WebSocket is piped there. */
async function whereIs(client) {
  return JSON.parse((await answerTo(client, frame('420["where"]'))).slice(2))[0];
}

/** Of a client of the official library. Undefined if it does not get that far. */
async function workerOf(socket) {
  return new Promise(resolve => {
    const fail = () => resolve(undefined);
    const ask = () => {
      const { engine } = socket.io;
      if (engine.transport.name === 'websocket') socket.emit('where', ([pid]) => resolve(pid));
      else engine.once('upgrade', ask);
    };
    for (const event of ['connect_error', 'error', 'disconnect']) socket.once(event, fail);
    setTimeout(fail, 10_000).unref();
    socket.once('connect', ask);
  });
}

/** One after the other, so that a server gives each of its workers as many. */
async function openOneByOne(port, count) {
  const clients = [];
  while (clients.length < count) clients.push(await Client.open({ port }));
  return clients;
}

/** Sees that what each worker emits arrives, and once. Servers may still be learning who is in the room. */
async function probeEmits({ clients, receivers, senders, tell }) {
  await wait(SETTLING);
  const heard = new Map(clients.map(client => [client, 0]));
  for (const client of clients) client.onEvent = () => heard.set(client, heard.get(client) + 1);
  for (const client of senders) client.send(tell);
  await wait(SETTLING);
  for (const [client, count] of heard) {
    const expected = receivers.has(client) ? senders.length : 0;
    if (count !== expected) throw new Error(`a client has heard ${count} emits of ${expected}`);
  }
}

/** Since the server has emitted it: it says when, by the clock of the machine that all processes share, in microseconds. */
function msSince(text) {
  return Number(process.hrtime.bigint() / 1000n - BigInt(/"at":(\d+)/.exec(text)[1])) / 1000;
}

/** Frames to be sent one after the other, each with the number of its messages. */
function framesOf({ burst = 0, event, ...options }) {
  return Array.from({ length: IDS }, (_, ackId) => {
    if (burst === 0) return { data: framesOfPacket({ ...options, event, ackId }), messages: 1 };
    const messages = Array.from({ length: burst }, () => framesOfPacket({ ...options, event }));
    return { data: Buffer.concat([...messages, framesOfPacket({ ...options, event: 'echo', ackId })]), messages: burst };
  });
}

function framesOfPacket({ protocol, polls, ...options }) {
  if (polls) return packet(options);
  const text = frame(packet(options));
  if (options.payload !== 'binary') return text;
  const attachment = protocol === 3 ? Buffer.concat([Buffer.from([4]), PAYLOADS.binary]) : PAYLOADS.binary; // 4: a message
  return Buffer.concat([text, frame(attachment)]);
}

function packet({ namespace = '/', event, ackId = '', payload }) {
  const type = payload === 'binary' ? '451-' : '42';
  return `${type}${namespace === '/' ? '' : `${namespace},`}${ackId}${JSON.stringify([event, contentOf({ payload })])}`;
}

function contentOf({ payload = 'small' }) {
  return payload === 'binary' ? { _placeholder: true, num: 0 } : PAYLOADS[payload];
}

/** Adds what of its core this process has used meanwhile. */
async function observe(work) {
  const before = { at: performance.now(), cpu: process.cpuUsage() };
  const result = await work();
  const { user, system } = process.cpuUsage(before.cpu);
  const ms = performance.now() - before.at;
  return { ...result, ms, busy: (user + system) / 1000 / ms };
}

function percentiles(latencies) {
  const sorted = Float64Array.from(latencies).sort();
  return { p50: sorted[Math.floor(sorted.length * 0.5)], p99: sorted[Math.floor(sorted.length * 0.99)] };
}
