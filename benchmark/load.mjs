/**
 * The load generator: a process of its own that opens clients and has them send. For each slice it says what it has
 * used of its core, so that the runner sees whether it was fast enough.
 */
import { answer } from './child.mjs';
import { Client } from './client.mjs';
import { frame } from './frames.mjs';

/** At most so many connections are being opened at a time. */
const OPENING = 20;

/** Frames with so many different ids of acknowledgements are made beforehand. */
const IDS = 500;

const PAYLOADS = {
  small: { a: 1, text: 'hello world' },
  text: 'x'.repeat(10_000),
  binary: Buffer.alloc(10_000, 'x'),
};

/** Groups of clients of one server, by id. */
const groups = new Map();

answer({
  /** Opens clients and says how many were opened a second. */
  async open(id, { count, ...options }) {
    const clients = [];
    const before = performance.now();
    const open = async () => {
      while (clients.length < count) {
        const place = clients.push(undefined) - 1;
        clients[place] = await Client.open(options);
      }
    };
    const { busy } = await observe(() => Promise.all(Array.from({ length: OPENING }, open)));
    groups.set(id, { clients, ...options });
    return { count, busy, perSecond: (count / (performance.now() - before)) * 1000 };
  },

  async close(id) {
    const { clients } = groups.get(id);
    groups.delete(id);
    await Promise.all(clients.map(client => client.close()));
  },

  /** The text of an acknowledgement, to see that the server does what it is measured for. */
  async probe(id, load) {
    const { clients, ...options } = groups.get(id);
    const [{ data }] = framesOf({ ...options, ...load, burst: 0 });
    const [client] = clients;
    return await new Promise((resolve, reject) => {
      client.onAck = text => resolve(text());
      client.onFailure = reject;
      client.send(data);
    });
  },

  /**
   * Has the clients send for some time. A client sends a unit, and the next one when that has been answered: one message that asks
   * for an acknowledgement, or a burst of messages that do not with one at its end that does.
   */
  messages(id, { ms, inFlight = 1, atOnce, ...load }) {
    const { clients, ...options } = groups.get(id);
    const frames = framesOf({ ...options, ...load });
    const walks = atOnce !== undefined; // from client to client, rather than all at a time
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
            client.onFailure = reject;
            client.onAck = () => {
              answered++;
              latencies?.push(performance.now() - client.sentAt);
              if (!isOver) send(walks ? clients[sent % clients.length] : client);
              else if (answered === sent) resolve({ messages: sent * frames[0].messages, ...(latencies && percentiles(latencies)) });
            };
          }
          setTimeout(() => (isOver = true), ms);
          for (let i = 0; i < (walks ? atOnce : clients.length * inFlight); i++) send(clients[i % clients.length]);
        }),
    );
  },

  /** Has one client ask for broadcasts, one after the other, and counts what arrives at all of them. */
  broadcasts(id, { ms, event }) {
    const { clients, ...options } = groups.get(id);
    const [first] = clients;
    const shout = frame(packet({ ...options, event, payload: 'small' }));
    return observe(
      () =>
        new Promise((resolve, reject) => {
          const until = performance.now() + ms;
          let arrived = 0;
          for (const client of clients) {
            client.onFailure = reject;
            client.onEvent = () => {
              if (++arrived % clients.length > 0) return;
              if (performance.now() < until) first.send(shout);
              else resolve({ messages: arrived });
            };
          }
          first.send(shout);
        }),
    );
  },
});

/** Frames to be sent one after the other, each with the number of its messages. */
function framesOf({ burst = 0, event, barrier = 'echo', ...options }) {
  return Array.from({ length: IDS }, (_, ackId) => {
    if (burst === 0) return { data: framesOfPacket({ ...options, event, ackId }), messages: 1 };
    const messages = Array.from({ length: burst }, () => framesOfPacket({ ...options, event }));
    return { data: Buffer.concat([...messages, framesOfPacket({ ...options, event: barrier, ackId })]), messages: burst };
  });
}

function framesOfPacket({ payload = 'small', protocol, ...options }) {
  const text = frame(packet({ ...options, payload }));
  if (payload !== 'binary') return text;
  const attachment = protocol === 3 ? Buffer.concat([Buffer.from([4]), PAYLOADS.binary]) : PAYLOADS.binary; // 4: a message
  return Buffer.concat([text, frame(attachment)]);
}

function packet({ namespace = '/', event, ackId = '', payload }) {
  const type = payload === 'binary' ? '45' : '42';
  const content = payload === 'binary' ? { _placeholder: true, num: 0 } : PAYLOADS[payload];
  return `${type}${payload === 'binary' ? '1-' : ''}${namespace === '/' ? '' : `${namespace},`}${ackId}${JSON.stringify([event, content])}`;
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
