/**
 * The attacks of `npm run abuse`, each of a bounded size, over loopback. Where the input alone could end plain Socket.IO, `alone` is true, and its
 * value is just beyond the limit.
 *
 * - about: for the table
 * - limit: which option of config.io.limits is to stop it
 * - modes: each a row: transport, protocol, workers
 * - attack: run in the attacker's process
 * - broadcast: what the server is told to send meanwhile: a number of messages, and the bytes of each
 * - seconds: how long the attacker stays before what it holds is measured; `short` in the tests, without it these leave it out
 * - stays: in seconds, what may be left so long; it is measured after that, but not in the tests
 * - expects: what the attacker has to get from this plugin
 * - packets: how many it sends, so that the CPU time of one can be told
 * - strict: whether it needs the limits that are off by default, see STRICT in abuse.mjs
 */
const WEBSOCKET = { transport: 'websocket', protocol: 4, workers: 1 };
const WEBSOCKET_3 = { ...WEBSOCKET, protocol: 3 };
const POLLING = { ...WEBSOCKET, transport: 'polling' };
const POLLING_3 = { ...POLLING, protocol: 3 };
const TWO_WORKERS = { ...WEBSOCKET, workers: 2 };
const POLLING_2 = { ...POLLING, workers: 2 };

/** What a POST may have: maxHttpBufferSize is 1 MB. */
const POST = 5000;

export const ATTACKS = {
  backlog: {
    about: '60 MB of broadcasts to a client that reads nothing and answers pings',
    limit: 'backlog',
    modes: [WEBSOCKET, WEBSOCKET_3, POLLING, POLLING_3, TWO_WORKERS, POLLING_2],
    async attack({ open, ...options }) {
      const client = await open(options);
      client.send('42["enter","attackers"]');
      await options.wait(300);
      client.stopReading();
    },
    broadcast: [6000, 10_000],
    seconds: 5,
    short: 0.5,
    expects: /closed|HTTP 400/,
  },
  events: {
    about: '50,000 events of one client at once',
    limit: 'events',
    modes: [WEBSOCKET, WEBSOCKET_3, POLLING, TWO_WORKERS],
    attack: options => flood(options, 50_000, '42["echo",1]'),
    packets: 50_000,
    seconds: 5,
    short: 0.5,
    expects: /^connected/,
  },
  'events with answers': {
    about: '20,000 events of one client at once, each wants an answer',
    limit: 'events',
    modes: [WEBSOCKET],
    attack: options => flood(options, 20_000, '421["echo",1]'),
    packets: 20_000,
    seconds: 17, // 5,000 at once, then 1,000 a second
    expects: /x ack/,
  },
  'reserved names': {
    about: '4,000 events with a reserved name',
    modes: [WEBSOCKET],
    attack: options => flood(options, 4000, '42["error",1]'),
    packets: 4000,
    seconds: 1,
    expects: /^connected/,
  },
  'answering handler': {
    about: '4,000 events, each answered: what the next row is compared with',
    modes: [WEBSOCKET],
    attack: options => flood(options, 4000, '421["echo",1]'),
    packets: 4000,
    seconds: 1,
    expects: /ack/,
  },
  'throwing handler': {
    about: '4,000 events whose handler throws',
    modes: [WEBSOCKET],
    alone: true,
    attack: options => flood(options, 4000, '421["throw",1]'),
    packets: 4000,
    seconds: 1,
    expects: /ack/,
  },
  pending: {
    about: '4,000 events of one client whose handlers never end',
    limit: 'pending',
    modes: [WEBSOCKET],
    attack: options => flood(options, 4000, '421["hang"]'),
    packets: 4000,
    seconds: 2,
    expects: /^connected$/,
  },
  namespaces: {
    about: '5,000 namespaces of a pattern, asked for by one connection',
    limit: 'namespaces',
    modes: [WEBSOCKET, POLLING, WEBSOCKET_3],
    async attack({ open, scale, ...options }) {
      const client = await open(options);
      const packets = Array.from({ length: 5000 * scale }, (_, i) => `40/room-${performance.now()}-${i}`); // no attack finds those of another one;
      await sendInParts(client, packets);
    },
    seconds: 6,
    short: 0.5,
    stays: 65, // a namespace that is empty goes after a minute
    expects: /100 x connected, .*x refused/,
  },
  'names of namespaces': {
    about: '5,000 namespaces of a pattern with names of 500 characters',
    limit: 'namespaces',
    modes: [WEBSOCKET],
    async attack({ open, scale, ...options }) {
      const client = await open(options);
      await sendInParts(
        client,
        Array.from({ length: 5000 * scale }, (_, i) => `40/room-${'x'.repeat(500)}${i}`),
      );
    },
    seconds: 6,
    expects: /NAMESPACE_TOO_LONG/,
  },
  attachments: {
    about: '20 clients whose packets are never whole, 8.5 MB each',
    limit: 'attachments',
    modes: [WEBSOCKET],
    async attack({ open, scale, ...options }) {
      const placeholders = Array.from({ length: 10 }, (_, num) => `{"_placeholder":true,"num":${num}}`);
      const attachment = Buffer.alloc(950_000 * scale);
      const clients = await Promise.all(Array.from({ length: 20 }, () => open(options)));
      for (const client of clients) {
        client.send(`4510-["echo",${placeholders}]`);
        for (let i = 0; i < 9; i++) client.send(attachment);
      }
    },
    seconds: 14,
    short: 3,
    expects: /20 x closed/,
  },
  auth: {
    about: '60 clients with an auth of 900 kB',
    limit: 'auth',
    modes: [WEBSOCKET, POLLING],
    async attack({ open, ...options }) {
      for (let i = 0; i < 60; i++) await open({ ...options, auth: { token: String(i).padEnd(900_000, 'x') } });
    },
    seconds: 1,
    short: 0.5,
    expects: /60 x refused AUTH_TOO_LARGE/,
  },
  rooms: {
    about: 'one client that asks for 20,000 rooms',
    limit: 'rooms',
    modes: [WEBSOCKET],
    async attack({ open, ...options }) {
      const client = await open(options);
      await sendInParts(
        client,
        Array.from({ length: 20_000 }, (_, i) => `421["enter","room ${i}"]`),
      );
    },
    packets: 20_000,
    seconds: 17, // as above
    expects: /10000 x ack TOO_MANY_ROOMS/,
  },
  'names of rooms': {
    about: '1,000 rooms with names of 10,000 characters',
    limit: 'rooms',
    modes: [WEBSOCKET],
    async attack({ open, ...options }) {
      const client = await open(options);
      await sendInParts(
        client,
        Array.from({ length: 1000 }, (_, i) => `421["enter","${'x'.repeat(10_000)}${i}"]`),
      );
    },
    seconds: 2,
    short: 2,
    expects: /1000 x ack ROOM_TOO_LONG/,
  },
  handshakes: {
    about: '2,000 handshakes at once, which stay',
    limit: 'handshakes',
    modes: [POLLING, WEBSOCKET],
    async attack({ open, ...options }) {
      const every = Array.from({ length: 2000 }, () => open(options));
      await Promise.all(every);
    },
    seconds: 2,
    expects: /x connected/, // on a busy machine they come more slowly than they may,
  },
  connecting: {
    about: '300 clients whose connection middleware never ends',
    limit: 'connectTimeout',
    modes: [WEBSOCKET],
    async attack({ open, wait, ...options }) {
      for (let i = 0; i < 300; i++) void open({ ...options, namespace: '/waiting' });
      await wait(500);
    },
    seconds: 4,
    expects: /closed/,
  },
  depth: {
    about: '20 clients that nest an argument 65 levels deep',
    limit: 'depth',
    modes: [WEBSOCKET],
    attack: options => each(options, 20, `42["echo",${'['.repeat(65)}${']'.repeat(65)}]`),
    seconds: 1,
    short: 0.5,
    expects: /20 x closed/,
  },
  eventName: {
    about: '20 clients with the name of an event of 201 characters',
    limit: 'eventName',
    modes: [WEBSOCKET, POLLING],
    attack: options => each(options, 20, `42["${'x'.repeat(201)}"]`),
    seconds: 1,
    short: 0.5,
    expects: /20 x (closed|HTTP 400)/,
  },
  ackId: {
    about: '20 clients that want an acknowledgement with an id of 16 digits',
    limit: 'ackId',
    modes: [WEBSOCKET],
    attack: options => each(options, 20, `42${'1'.repeat(16)}["echo",1]`),
    seconds: 1,
    short: 0.5,
    expects: /20 x closed/,
  },
  recovery: {
    about: '60 MB of broadcasts in a namespace with recovery, to nobody',
    limit: 'recovery',
    modes: [WEBSOCKET],
    strict: true,
    attack: () => {},
    broadcast: [6000, 10_000],
    seconds: 1,
    expects: /^$/,
  },
  connections: {
    about: '200 clients where a worker may have 100',
    limit: 'connections',
    modes: [WEBSOCKET],
    strict: true,
    attack: ({ open, ...options }) => Promise.all(Array.from({ length: 200 }, () => open(options))),
    seconds: 1,
    expects: /x HTTP 400/,
  },
  perAddress: {
    about: '60 clients of one address, which may have 20',
    limit: 'perAddress',
    modes: [WEBSOCKET, POLLING],
    strict: true,
    attack: ({ open, ...options }) =>
      Promise.all(Array.from({ length: 60 }, () => open({ ...options, headers: { 'x-forwarded-for': '203.0.113.7' } }))),
    seconds: 1,
    short: 0.5,
    expects: /40 x HTTP 4(00|29)/,
  },
  perEvent: {
    about: '1,000 events of a name that may come 5 times a second',
    limit: 'perEvent',
    modes: [WEBSOCKET],
    strict: true,
    attack: options => flood({ ...options, namespace: '/strict' }, 1000, '42/strict,1["typing"]'),
    packets: 1000,
    seconds: 1,
    short: 0.5,
    expects: /x ack TOO_MANY_EVENTS/,
  },
  handlerTimeout: {
    about: '1,000 events whose handlers never end, and have 200 ms',
    limit: 'handlerTimeout',
    modes: [WEBSOCKET],
    strict: true,
    attack: options => flood({ ...options, namespace: '/strict' }, 1000, '42/strict,1["hang"]'),
    packets: 1000,
    seconds: 1,
    short: 0.5,
    expects: /x ack TIMEOUT/,
  },
};

async function flood({ open, scale, ...options }, count, packet) {
  const client = await open(options);
  await sendInParts(
    client,
    Array.from({ length: Math.round(count * scale) }, () => packet),
  );
}

/** As few requests as there can be. */
async function sendInParts(client, packets) {
  for (let i = 0; i < packets.length; i += POST) await client.sendAll(packets.slice(i, i + POST));
}

async function each({ open, ...options }, count, packet) {
  const clients = await Promise.all(Array.from({ length: count }, () => open(options)));
  for (const client of clients) client.send(packet);
}
