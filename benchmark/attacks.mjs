/**
 * The attacks of `npm run abuse`, each of a bounded size, over loopback. Where the input alone could end plain Socket.IO, `alone` is true, and its
 * value is just beyond the limit.
 *
 * - about: what the attacker does, for the table
 * - modes: each a row: transport, protocol, workers
 * - config: which of CONFIGS in abuse.mjs the server has, if not the defaults
 * - packets: how many it sends; fewer in the tests
 * - attack: run in the attacker's process
 * - broadcast: what the server is told to send meanwhile: a number of messages, and the bytes of each
 * - seconds: how long the attacker stays before what it holds is measured; `short` in the tests, without it these leave it out
 * - stays: in seconds, what may be left so long; it is measured after that, but not in the tests
 * - isSwept: whether the server removes namespaces that are empty before what is left is measured; otherwise it does so after a minute
 * - expects: what the attacker has to get from this plugin: a regular expression, in which # stands for the number of packets
 */
import { setTimeout as wait } from 'node:timers/promises';

const WEBSOCKET = { transport: 'websocket', protocol: 4, workers: 1 };
const WEBSOCKET_3 = { ...WEBSOCKET, protocol: 3 };
const POLLING = { ...WEBSOCKET, transport: 'polling' };
const POLLING_3 = { ...POLLING, protocol: 3 };
const TWO_WORKERS = { ...WEBSOCKET, workers: 2 };
const POLLING_2 = { ...POLLING, workers: 2 };

/** The most packets of a POST: maxHttpBufferSize is 1 MB. */
const POST = 5000;

/** The answer to it comes when everything before it has been handled. */
const LAST = '421["echo",1]';

/** Of 20 clients: each is told so, and ended. */
const ENDED = '^20 x (closed|HTTP 400), 20 x connected, 20 x error LIMIT_REACHED$';

export const ATTACKS = {
  backlog: {
    about: '60 MB of broadcasts to a client that reads nothing and answers pings',
    modes: [WEBSOCKET, WEBSOCKET_3, POLLING, POLLING_3, TWO_WORKERS, POLLING_2],
    async attack({ open, ...options }) {
      const client = await open(options);
      client.send('42["enter","attackers"]');
      await wait(300);
      client.stopReading();
    },
    broadcast: [6000, 10_000],
    seconds: 5,
    short: 0.5,
    expects: '^(closed|HTTP 400), connected$',
  },
  events: {
    about: '50,000 events of one client at once, of which the last one wants an answer',
    modes: [WEBSOCKET, WEBSOCKET_3, POLLING, TWO_WORKERS],
    packets: 50_000,
    attack: options => flood(options, '42["echo",1]', LAST),
    seconds: 5, // 5,000 at once, then 1,000 a second
    short: 1,
    stays: 5, // while a server does not read, it finds that a client has gone when it writes, once a second
    expects: '^connected$',
  },
  'events with answers': {
    about: '20,000 events of one client at once, each wants an answer',
    modes: [WEBSOCKET],
    packets: 20_000,
    attack: options => flood(options, '421["echo",1]'),
    seconds: 17, // as above
    expects: '^# x ack, connected$',
  },
  'reserved names': {
    about: '4,000 events with a reserved name, and one that wants an answer',
    modes: [WEBSOCKET],
    packets: 4000,
    attack: options => flood(options, '42["error",1]', LAST),
    seconds: 1,
    expects: '^ack, connected$',
  },
  'answering handler': {
    about: '4,000 events, each answered: what the next row is compared with',
    modes: [WEBSOCKET],
    packets: 4000,
    attack: options => flood(options, '421["echo",1]'),
    seconds: 1,
    expects: '^# x ack, connected$',
  },
  'throwing handler': {
    about: '4,000 events whose handler throws',
    modes: [WEBSOCKET],
    alone: true,
    packets: 4000,
    attack: options => flood(options, '421["throw",1]'),
    seconds: 1,
    expects: '^# x ack INTERNAL_SERVER_ERROR, connected$',
  },
  pending: {
    about: '4,000 events of one client whose handlers never end, and one that wants an answer',
    modes: [WEBSOCKET],
    packets: 4000,
    attack: options => flood(options, '421["hang"]', LAST),
    seconds: 2,
    expects: '^connected$',
  },
  namespaces: {
    about: '5,000 namespaces of a pattern, asked for by one connection',
    modes: [WEBSOCKET, POLLING, WEBSOCKET_3],
    packets: 5000,
    attack: options => flood(options, i => `40/room-${performance.now()}-${i}`), // no attack finds those of another one
    seconds: 6,
    short: 0.5,
    isSwept: true,
    expects: '^100 x connected, \\d+ x refused( TOO_MANY_NAMESPACES)?$', // clients of protocol 3 get no codes
  },
  'names of namespaces': {
    about: '5,000 namespaces of a pattern with names of 500 characters',
    modes: [WEBSOCKET],
    packets: 5000,
    attack: options => flood(options, i => `40/room-${'x'.repeat(500)}${i}`),
    seconds: 6,
    expects: '^connected, # x refused NAMESPACE_TOO_LONG$',
  },
  attachments: {
    about: '20 clients whose packets are never whole, 8.5 MB each',
    modes: [WEBSOCKET],
    async attack({ open, scale, ...options }) {
      const placeholders = Array.from({ length: 10 }, (_, num) => `{"_placeholder":true,"num":${num}}`);
      const attachment = Buffer.alloc(950_000 * scale);
      const clients = await openAll(20, open, options);
      for (const client of clients) {
        client.send(`4510-["echo",${placeholders.join()}]`);
        for (let i = 0; i < 9; i++) client.send(attachment);
      }
    },
    seconds: 14,
    short: 0.5,
    expects: '^20 x closed, 20 x connected, \\d+ x error LIMIT_REACHED$', // who is closed while it sends may not get the error
  },
  auth: {
    about: '60 clients with an auth of 900 kB',
    modes: [WEBSOCKET, POLLING],
    packets: 60,
    async attack({ open, packets, ...options }) {
      for (let i = 0; i < packets; i++) await open({ ...options, auth: { token: String(i).padEnd(900_000, 'x') } });
    },
    seconds: 1,
    short: 0.5,
    expects: '^(# x (closed|HTTP 400), )?# x refused AUTH_TOO_LARGE$',
  },
  rooms: {
    about: 'one client that asks for 20,000 rooms',
    modes: [WEBSOCKET],
    packets: 20_000,
    attack: options => flood(options, i => `421["enter","room ${i}"]`),
    seconds: 17, // as above
    expects: '^10000 x ack, 10000 x ack TOO_MANY_ROOMS, connected$',
  },
  'names of rooms': {
    about: '1,000 rooms with names of 10,000 characters',
    modes: [WEBSOCKET],
    packets: 1000,
    attack: options => flood(options, i => `421["enter","${'x'.repeat(10_000)}${i}"]`),
    seconds: 2,
    short: 0.5,
    expects: '^# x ack ROOM_TOO_LONG, connected$',
  },
  handshakes: {
    about: '2,000 handshakes at once, which stay, where a worker takes 100 a second',
    modes: [POLLING, WEBSOCKET],
    config: 'handshakes', // with those of the defaults, a busy machine is too slow for this attack
    attack: ({ open, ...options }) => openAll(2000, open, options),
    seconds: 2,
    expects: '^\\d+ x HTTP (503|400), \\d+ x connected$',
  },
  connecting: {
    about: '300 clients whose connection middleware never ends',
    modes: [WEBSOCKET],
    async attack({ open, ...options }) {
      void openAll(300, open, { ...options, namespace: '/waiting' });
      await wait(500);
    },
    seconds: 4,
    expects: '^300 x closed$',
  },
  depth: {
    about: '20 clients that nest an argument 65 levels deep',
    modes: [WEBSOCKET],
    attack: options => each(options, `42["echo",${'['.repeat(65)}${']'.repeat(65)}]`),
    seconds: 1,
    short: 0.5,
    expects: ENDED,
  },
  eventName: {
    about: '20 clients with the name of an event of 201 characters',
    modes: [WEBSOCKET, POLLING],
    attack: options => each(options, `42["${'x'.repeat(201)}"]`),
    seconds: 1,
    short: 0.5,
    expects: ENDED,
  },
  ackId: {
    about: '20 clients that want an acknowledgement with an id of 16 digits',
    modes: [WEBSOCKET],
    attack: options => each(options, `42${'1'.repeat(16)}["echo",1]`),
    seconds: 1,
    short: 0.5,
    expects: ENDED,
  },
  recovery: {
    about: '60 MB of broadcasts in a namespace with recovery, to nobody',
    modes: [WEBSOCKET],
    config: 'recovery',
    attack: () => {},
    broadcast: [6000, 10_000],
    seconds: 1,
    expects: '^$',
  },
  connections: {
    about: '200 clients where a worker may have 100, one of them the bystander',
    modes: [WEBSOCKET],
    config: 'strict',
    attack: ({ open, ...options }) => openAll(200, open, options),
    seconds: 1,
    expects: '^101 x HTTP 400, 99 x connected$',
  },
  perAddress: {
    about: '60 clients of one address, which may have 20',
    modes: [WEBSOCKET, POLLING],
    config: 'strict',
    attack: ({ open, ...options }) => openAll(60, open, { ...options, headers: { 'x-forwarded-for': '203.0.113.7' } }),
    seconds: 1,
    short: 0.5,
    expects: '^40 x HTTP 4(00|29), 20 x connected$',
  },
  perEvent: {
    about: '1,000 events of a name that may come 5 times a second',
    modes: [WEBSOCKET],
    config: 'strict',
    packets: 1000,
    attack: options => flood({ ...options, namespace: '/strict' }, '42/strict,1["echo",1]'),
    seconds: 1,
    short: 0.5,
    expects: '^1?\\d x ack, \\d+ x ack TOO_MANY_EVENTS, connected$',
  },
  handlerTimeout: {
    about: '1,000 events whose handlers never end, and have 200 ms',
    modes: [WEBSOCKET],
    config: 'strict',
    packets: 1000,
    attack: options => flood({ ...options, namespace: '/strict' }, '42/strict,1["hang"]'),
    seconds: 1,
    short: 0.5,
    expects: '^# x ack TIMEOUT, connected$',
  },
};

/** @param packet the same each time, or made of its number */
async function flood({ open, packets, ...options }, packet, ...last) {
  const client = await open(options);
  const all = [...Array.from({ length: packets }, (_, i) => (typeof packet === 'string' ? packet : packet(i))), ...last];
  for (let i = 0; i < all.length; i += POST) await client.sendAll(all.slice(i, i + POST)); // as few requests as there can be
}

async function each({ open, ...options }, packet) {
  for (const client of await openAll(20, open, options)) client.send(packet);
}

function openAll(count, open, options) {
  return Promise.all(Array.from({ length: count }, () => open(options)));
}
