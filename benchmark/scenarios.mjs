/**
 * What is measured: each scenario measures one server at a time and gives the numbers of that slice.
 * `seconds` is roughly how long that takes, if it is not the length of a slice.
 */
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { Child } from './child.mjs';
import { logIn } from './login.mjs';
import { PEERS } from './peers.mjs';

const CONNECTIONS = 100;
const BURST = 40;
const BARE = { namespace: '/chain-0' };
const GUARDED = { namespace: '/waiting' };

/** The same egg before and after, so that what differs is this plugin. */
const WORKERS = Number(process.env.BENCH_WORKERS ?? 4); // a test that it runs at all has fewer
const CLIENTS = 100 * WORKERS;
const BEFORE = { peer: 'egg-socket.io-4.1.6', label: '4.1.6', cluster: { workers: WORKERS } };
const BEFORE_STICKY = { ...BEFORE, label: '4.1.6, sticky', cluster: { workers: WORKERS, sticky: true } };
const AFTER = { peer: 'egg3', label: '5', cluster: { workers: WORKERS } };
const AFTER_STICKY = { ...AFTER, label: '5, sticky', cluster: { workers: WORKERS, sticky: true } };
const PIPED = [
  { ...AFTER, label: 'at its worker', clients: { upgrades: true, isPiped: false } },
  { ...AFTER, label: 'piped', clients: { upgrades: true, isPiped: true } },
];

/** What carries emits from one worker to the others: the hub those of one machine, the others those of several servers. */
const ADAPTERS = [
  { label: 'hub', peer: 'egg4', cluster: { servers: 1, workers: WORKERS } },
  ...['redis', 'redis-sharded', 'redis-streams'].map(adapter => ({
    label: adapter,
    peer: 'egg4',
    cluster: { servers: 2, workers: WORKERS / 2, usesRedis: true, adapter },
  })),
];
/** The same for this build and, with `--against`, an earlier one; and where all servers on the Redis run this plugin. */
const BUILDS = ['hub', 'redis'].flatMap(carrier => {
  const { cluster } = ADAPTERS.find(({ label }) => label === carrier);
  const row = (peer, what, more) => ({ label: `${carrier}, ${what}`, base: `${carrier}, earlier`, peer, cluster: { ...cluster, ...more } });
  const both = [row('earlier', 'earlier'), row('egg4', 'this build')];
  return carrier === 'hub' ? both : [...both, row('egg4', 'interop: false', { interop: false })];
});
/** The same server with and without the option. */
const RECOVERY = [
  { label: 'without recovery', peer: 'egg4', base: 'without recovery' },
  { label: 'with recovery', peer: 'egg4', base: 'without recovery', env: { BENCH_RECOVERY: 'true' } },
];
/** The same server without and with history of the room, whose members know of history in the last row. */
const HISTORY = [
  { label: 'without history', peer: 'egg4', base: 'without history' },
  { label: 'with history', peer: 'egg4', base: 'without history', env: { BENCH_HISTORY: 'true' } },
  {
    label: 'with history at both ends',
    peer: 'egg4',
    base: 'without history',
    env: { BENCH_HISTORY: 'true' },
    clients: { auth: { $io: { v: 1, history: true } } },
  },
];
/** The same app with tegg, which the tests have: a route, and the methods of decorated classes. */
const TEGG = { route: 'a route', singleton: 'a singleton', context: 'a context prototype that injects two' };
/** The same for requests to tegg's own controllers. */
const TEGG_HTTP = { singleton: 'a singleton', context: TEGG.context };
const WITH_TEGG = { peer: 'egg4', env: { BENCH_TEGG: join(import.meta.dirname, '../test/hosts/tegg/node_modules/@eggjs') } };
/** How often the app emits to a client that asks for it, in `toSelf`. */
const REPEATS = 20;

/** Of the clients that come back after a restart: how many there are, of how many processes, and how long they may take, in ms: to connect, and to come back. */
const CROWD = Number(process.env.BENCH_CLIENTS ?? 5000);
const GENERATORS = 2;
const OPENING_LIMIT = 600_000;
const STORM_LIMIT = 180_000;

const LISTENERS = 50 * WORKERS;
const MEMBERS = 5 * WORKERS;

/** In the order of the tables. What a scenario needs, a peer may lack. */
export const SCENARIOS = {
  echo: messages('echo with an acknowledgement, 10 in flight per connection', { event: 'echo', inFlight: 10 }),
  'echo-1': messages('echo with an acknowledgement, 1 in flight per connection', { event: 'echo', inFlight: 1 }),
  latency: messages('echo, one client alone, 1 in flight', { event: 'echo', inFlight: 1 }, { count: 1 }),
  'one-way': messages(`one-way messages, in bursts of ${BURST}`, { event: 'one-way', burst: BURST }),
  'bare-echo': messages('echo, 10 in flight, without packet middleware and service', { event: 'echo', inFlight: 10 }, BARE),
  'bare-one-way': messages('one-way, without packet middleware and service', { event: 'one-way', burst: BURST }, BARE),
  'chain-1': messages('one-way, 1 packet middleware, no service', { event: 'one-way', burst: BURST }, { namespace: '/chain-1' }),
  'chain-5': messages('one-way, 5 packet middleware, no service', { event: 'one-way', burst: BURST }, { namespace: '/chain-5' }),
  contract: {
    ...messages(
      'echo of a validated object, 10 in flight, by a contract with zod (raw calls zod, NestJS has its ValidationPipe), without packet middleware and service',
      { event: 'echo', inFlight: 10 },
      { namespace: '/contract' },
    ),
    needs: 'contract',
  },
  tegg: {
    ...messages('echo, 10 in flight, by a route and by classes of tegg 3, without packet middleware and service', {
      event: 'echo',
      inFlight: 10,
    }),
    rows: Object.entries(TEGG).map(([name, label]) => ({
      ...WITH_TEGG,
      label,
      base: TEGG.route,
      clients: { namespace: `/tegg-${name}` },
    })),
  },
  'tegg-http': {
    ...messages('HTTP requests to controllers of tegg 3, 1 in flight per connection', { event: 'echo', inFlight: 1 }),
    rows: Object.entries(TEGG_HTTP).map(([name, label]) => ({
      ...WITH_TEGG,
      label,
      base: TEGG_HTTP.singleton,
      clients: { path: `/tegg-${name}` },
    })),
  },
  'service-logger': {
    ...messages('echo, 10 in flight, with a service and a line of the logger', { event: 'echo-and-log', inFlight: 10 }),
    needs: 'logger',
  },
  'payload-text': messages('echo of 10 kB of text, 2 in flight', { event: 'echo', payload: 'text', inFlight: 2 }),
  'payload-binary': messages('echo of 10 kB of bytes, 2 in flight', { event: 'echo', payload: 'binary', inFlight: 2 }),
  broadcast: {
    about: 'broadcast to 1,000 clients, per client',
    unit: 'us',
    prepare: row => openClients(row, { count: 1000 }),
    measure: (row, ms) => measureSending(row, 'broadcasts', { ms, event: 'shout' }),
  },
  'broadcast-room': toRoom('io.to(room).emit() to 20 of 1,000 clients, per client', 'to-room'),
  'broadcast-others': toRoom('socket.to(room).emit() to 20 of 1,000 clients, per client', 'to-others'),
  recovery: { ...toRoom('io.to(room).emit() to 20 of 1,000 clients, per client, with and without recovery', 'to-room'), rows: RECOVERY },
  history: {
    ...toRoom('io.to(room).emit() to 20 of 1,000 clients, per client, with and without history of the room', 'to-room'),
    rows: HISTORY,
  },
  'history-hub': {
    ...toRoom('emit to a room of 20 of another worker, per client, in all processes, with and without history of the room', 'to-room'),
    rows: HISTORY.map(row => ({ ...row, cluster: { servers: 1, workers: 2 }, clients: { ...row.clients, isElsewhere: true } })),
    measure: async (row, ms) => ({ ...(await measureSending(row, 'broadcasts', { ms, event: 'to-room' })), extras: {} }),
  },
  'recovery-socket': {
    about: `socket.emit(), ${REPEATS} for each message, per event, with and without recovery`,
    unit: 'us',
    rows: RECOVERY,
    prepare: row => openClients(row, { count: 1 }),
    measure: (row, ms) => measureSending(row, 'broadcasts', { ms, event: 'to-self', repeats: REPEATS }),
  },
  'broadcast-hub': {
    about: 'broadcast of one worker to 1,000 clients, all but one at another worker, per client, in all processes',
    unit: 'us',
    rows: [
      { peer: 'raw', label: 'raw, one worker' },
      { peer: 'egg4', label: 'egg4, one worker' },
      { peer: 'egg4', label: 'egg4, over the hub', cluster: { servers: 1, workers: 2 }, clients: { isElsewhere: true } },
    ],
    prepare: row => openClients(row, { count: 1000, ...row.clients }),
    measure: async (row, ms) => ({ ...(await measureSending(row, 'broadcasts', { ms, event: 'shout' })), extras: {} }),
  },
  connect: connects('connect', () => ({})),
  'connect-session': { ...connects('connect with the cookie of a session, which nothing reads', loggedIn), needs: 'session' },
  'connect-guard': {
    ...connects('connect with the cookie of a session, which connection middleware reads (raw has none)', async row => ({
      ...(await loggedIn(row)),
      namespace: '/guarded',
    })),
    needs: 'session',
  },
  idle: idles(2000),
  'idle-guard': { ...idles(10_000, 'with connection middleware that waits for its end (raw has none)', GUARDED), needs: 'guard' },
  'idle-browser': {
    ...idles(10_000, 'the same with the headers and cookies of a browser', { ...GUARDED, isBrowser: true }),
    needs: 'guard',
  },
  'growth-connections': {
    ...messages('echo, 100 in flight, from one connection to the next', { event: 'echo', atOnce: 100 }),
    rows: ['raw', 'egg4'].flatMap(peer => [
      { peer, label: `${peer}, 100 connections`, base: `${peer}, 100 connections` },
      {
        peer,
        label: `${peer}, 10,000, of which 100 talk`,
        base: `${peer}, 100 connections`,
        clients: { count: 10_000 },
        sends: { talking: 100 },
      },
      { peer, label: `${peer}, 10,000 that talk`, base: `${peer}, 100 connections`, clients: { count: 10_000 } },
    ]),
  },
  'growth-routes': {
    ...messages('one-way, by the number of routes', { event: 'one-way', burst: BURST }),
    rows: byRoutes('routes'),
  },
  'growth-boot': {
    about: 'boot, by the number of controllers and routes',
    unit: 'ms',
    alone: true,
    rounds: 5,
    seconds: 2,
    rows: byRoutes('controllers'),
    measure: async ({ server }) => ({ value: await server.ask('boot'), extras: { 'CPU ms': (await server.ask('cpu')) / 1000 } }),
  },
  'cluster-connect': {
    about: `how many of ${CLIENTS} clients of the official library get in with its defaults, and to which of ${WORKERS} workers, behind nginx`,
    unit: 'clients',
    alone: true,
    rounds: 3,
    seconds: 20,
    rows: [BEFORE_STICKY, BEFORE, AFTER, { ...AFTER, label: '5, WebSocket only', clients: { transports: ['websocket'] } }],
    async measure({ load, server, peer, clients }) {
      const { port } = await server.ask('about');
      const held = await load.ask('official', { port, protocol: PEERS[peer].protocol, count: CLIENTS, ...clients });
      const busiest = held[0] ?? 0;
      const least = held[WORKERS - 1] ?? 0;
      return {
        value: held.reduce((sum, count) => sum + count, 0),
        extras: { 'busiest worker': busiest, 'least worker': least, 'least / busiest': busiest && least / busiest },
      };
    },
  },
  'cluster-websocket': {
    ...messages(`echo, 10 in flight, clients that poll before they upgrade to WebSocket, ${WORKERS} workers behind nginx`, {
      event: 'echo',
      inFlight: 10,
    }),
    rows: withClients({ upgrades: true }, BEFORE_STICKY, AFTER_STICKY, AFTER),
  },
  'cluster-polling': {
    ...messages(`echo, 1 in flight, clients that poll, ${WORKERS} workers behind nginx; two requests for each`, {
      event: 'echo',
      inFlight: 1,
    }),
    rows: withClients({ polls: true }, BEFORE_STICKY, AFTER_STICKY, AFTER),
  },
  'cluster-pipe': {
    ...messages('echo, 10 in flight, over WebSockets that are at their worker or are piped to it', { event: 'echo', inFlight: 10 }),
    rows: PIPED,
  },
  'cluster-pipe-1': {
    ...messages('echo, 1 in flight, over WebSockets that are at their worker or are piped to it', { event: 'echo', inFlight: 1 }),
    rows: PIPED,
  },
  'cluster-hub': {
    about: `what each of ${WORKERS} workers tells the ${WORKERS - 1} others, and has nobody to go to there`,
    unit: 'us',
    rows: [200, 10_000].flatMap(bytes => carriers(`${bytes} B`).map(row => ({ ...row, bytes }))),
    prepare: row => openClients(row, { count: WORKERS }),
    measure: (row, ms) => measureSending(row, 'flood', { ms, bytes: row.bytes }),
  },
  'cluster-broadcast': {
    about: `broadcast to 1,000 clients of ${WORKERS} workers, per client`,
    unit: 'us',
    rows: carriers('1,000 clients'),
    prepare: row => openClients(row, { count: 1000 }),
    measure: (row, ms) => measureSending(row, 'broadcasts', { ms, event: 'shout' }),
  },
  storm: {
    about: `${CROWD.toLocaleString('en')} clients of the official library come back when 2 workers behind nginx have been restarted: time from the start until all are answered`,
    unit: 's',
    alone: true,
    rounds: 3,
    seconds: 60,
    rows: [
      { ...BEFORE_STICKY, label: '4.1.6, sticky, WebSocket only', clients: { transports: ['websocket'] } },
      { ...AFTER, label: '5' },
      { ...AFTER, label: '5, WebSocket only', clients: { transports: ['websocket'] } },
    ].map(row => ({ ...row, cluster: { ...row.cluster, workers: 2 } })),
    measure: measureStorm,
  },
  'adapters-all': emits(`emit to all of ${LISTENERS} clients of ${WORKERS} workers, per client`, { rate: 40 }),
  'adapters-room': emits(`emit to a room of ${MEMBERS} clients, ${MEMBERS / WORKERS} of each of ${WORKERS} workers, per client`, {
    rate: 200,
    members: MEMBERS,
  }),
  'adapters-one': emits(`emit to a room of ${MEMBERS} clients, all of one of ${WORKERS} workers, per client`, {
    rate: 200,
    members: MEMBERS,
    isOneWorker: true,
  }),
  'adapters-builds': emits(
    `emit to a room of ${MEMBERS} clients, ${MEMBERS / WORKERS} of each of ${WORKERS} workers, per client, by build`,
    {
      rate: 200,
      members: MEMBERS,
      rows: BUILDS,
    },
  ),
};

/** The rows of a scenario: one for each peer, unless it has its own. */
export function rowsOf({ rows, needs }, names) {
  return (rows ?? names.map(peer => ({ peer, label: peer, base: names[0] })))
    .filter(({ peer }) => names.includes(peer) && !lackOf({ needs }, peer))
    .map(row => ({ ...row, samples: [] }));
}

/** Why a peer cannot do a scenario. */
export function lackOf({ needs }, peer) {
  return PEERS[peer].lacks?.[needs];
}

function withClients(clients, ...rows) {
  return rows.map(row => ({ ...row, clients }));
}

/** Of broadcasts from one worker to the others. */
function carriers(what) {
  const base = `hub, ${what}`;
  return [
    { ...AFTER, label: base, base },
    { ...AFTER, label: `Redis, ${what}`, base, cluster: { workers: WORKERS, usesRedis: true } },
  ];
}

/** Of the room that the app has, for servers whose apps have one. */
function toRoom(about, event) {
  return {
    about,
    unit: 'us',
    rows: ['raw', 'raw-corked', 'egg4', 'egg3'].map(peer => ({ peer, label: peer, base: 'raw' })),
    async prepare(row) {
      await openClients(row, { count: 1000, ...row.clients });
      await row.load.ask('enter', row.id, 20);
    },
    measure: (row, ms) => measureSending(row, 'broadcasts', { ms, event }),
  };
}

/** Several generators: one process would be the bottleneck. */
async function measureStorm({ server, peer, clients = {} }) {
  const { port } = await server.ask('about');
  const generators = [];
  try {
    for (let i = 0; i < GENERATORS; i++) generators.push(await Child.start(join(import.meta.dirname, 'load.mjs'), {}));
    const ask = (...question) => Promise.all(generators.map(generator => generator.ask(...question)));
    const crowdOf = i => ({ port, protocol: PEERS[peer].protocol, count: Math.floor((CROWD + i) / GENERATORS), ...clients });
    await Promise.all(generators.map((generator, i) => generator.ask('crowd', 0, crowdOf(i))));
    const { count: first } = await answersOf(ask, OPENING_LIMIT);
    if (first < CROWD) throw new Error(`${first} of ${CROWD} clients have been answered before the restart`);
    await ask('expectReturn', 0);
    const { closing, starting, readyAt } = await server.ask('restart');
    const used = async () => ({ app: await server.ask('cpu'), nginx: await server.ask('beside') });
    const before = await used();
    const { count, lastAt } = await answersOf(ask, STORM_LIMIT);
    const after = await used();
    return {
      value: (count === CROWD ? lastAt - readyAt : STORM_LIMIT) / 1000,
      extras: {
        answered: count,
        'closing s': closing / 1000,
        'starting s': starting / 1000,
        'CPU us per client': (after.app - before.app) / CROWD,
        'nginx us': (after.nginx - before.nginx) / CROWD,
      },
    };
  } finally {
    await Promise.all(generators.map(generator => generator.stop()));
  }
}

/** Waits until all clients of the generators have been answered, but not for ever. How many there are, and when the last answer came. */
async function answersOf(ask, limit) {
  for (const until = performance.now() + limit; ; await wait(100)) {
    const answers = await ask('answered', 0);
    const count = answers.reduce((sum, { count }) => sum + count, 0);
    if (count === CROWD || performance.now() > until) return { count, lastAt: Math.max(...answers.map(({ lastAt }) => lastAt)) };
  }
}

function byRoutes(noun) {
  const label = count => `egg4, ${count} more ${noun}`;
  return [0, 500].map(count => ({ peer: 'egg4', label: label(count), base: label(0), env: { BENCH_ROUTES: String(count) } }));
}

/** CPU time of the server per message. */
function messages(about, load, clients) {
  return {
    about,
    unit: 'us',
    async prepare(row) {
      await openClients(row, { count: CONNECTIONS, ...clients, ...row.clients });
      await row.load.ask('probe', row.id, load);
    },
    async measure(row, ms) {
      const before = await row.server.ask('received');
      const sample = await measureSending(row, 'messages', { ms, ...load, ...row.sends });
      const received = (await row.server.ask('received')) - before;
      if (load.event === 'one-way' && received !== sample.messages)
        throw new Error(`${row.label} has received ${received} of ${sample.messages} messages`);
      return sample;
    },
  };
}

/** CPU time of all processes per client that an emit reaches, as fast as they take it; and at a fixed rate, how long it takes to get there. */
function emits(about, { rate, rows = ADAPTERS, ...room }) {
  return {
    about,
    unit: 'us',
    seconds: 1.5,
    rows,
    async prepare(row) {
      row.id = ++lastId;
      await row.load.ask('spread', row.id, { ports: row.ports, count: LISTENERS, ...room });
    },
    async measure(row, ms) {
      const { cpu, parts, busy, messages, ms: time } = await observe(row, () => row.load.ask('emits', row.id, { ms, inFlight: 8 }));
      const { p50, p99 } = await observe(row, () => row.load.ask('emits', row.id, { ms, rate }));
      return {
        value: cpu / messages,
        perSecond: (messages / time) * 1000,
        serverBusy: cpu / 1000 / time,
        generatorBusy: busy,
        extras: { 'agent or Redis us': parts.carrier / messages, 'p50 ms': p50, 'p99 ms': p99 },
      };
    },
  };
}

async function measureSending(row, question, load) {
  const { cpu, busy, messages, ms, p50, p99, parts } = await observe(row, () => row.load.ask(question, row.id, load));
  return {
    value: cpu / messages,
    messages,
    perSecond: (messages / ms) * 1000,
    serverBusy: cpu / 1000 / ms,
    generatorBusy: busy,
    extras: { ...(p50 !== undefined && { 'p50 ms': p50, 'p99 ms': p99 }), ...(parts && sharesOf(parts, messages)) },
  };
}

function sharesOf({ workers, carrier, nginx }, messages) {
  const all = workers.reduce((sum, one) => sum + one, 0);
  return {
    'busiest worker %': (Math.max(...workers) / all) * 100,
    'least worker %': (Math.min(...workers) / all) * 100,
    'agent or Redis us': carrier / messages,
    'nginx us': nginx / messages,
  };
}

/** CPU time of the server per connection. They are closed after it has been taken. */
function connects(about, optionsOf) {
  const count = 400;
  return {
    about,
    unit: 'us',
    seconds: 0.5,
    async prepare(row) {
      row.options = { count, ...(await optionsOf(row)) };
    },
    async measure(row) {
      const { cpu, busy, ms } = await observe(row, () => openClients(row, row.options));
      await observe(row, () => closeClients(row));
      return { value: cpu / count, perSecond: (count / ms) * 1000, serverBusy: cpu / 1000 / ms, generatorBusy: busy };
    },
  };
}

/** The cookie of a session, or for who has no sessions one that looks the same. */
async function loggedIn({ peer, server }) {
  if (!PEERS[peer].session) return { cookie: `EGG_SESS=${'x'.repeat(76)}; EGG_SESS.sig=${'x'.repeat(43)}` };
  const { port } = await server.ask('about');
  return { cookie: await logIn(`http://127.0.0.1:${port}`) };
}

/** Memory of the server per connection, in a server of its own. */
function idles(count, what, options) {
  return {
    about: `heap per idle connection, after a forced gc, ${count.toLocaleString('en')} connections${what === undefined ? '' : `, ${what}`}`,
    unit: 'kB',
    alone: true,
    rounds: 3,
    seconds: 4 + count / 1000,
    async measure(row) {
      await openClients(row, { count: 200, ...options }); // so that all code is there
      await closeClients(row);
      const before = await row.server.ask('memory');
      await openClients(row, { count, ...options });
      const after = await row.server.ask('memory');
      const each = name => (after[name] - before[name]) / count / 1000;
      return { value: each('heapUsed'), extras: { 'RSS kB': each('rss') } };
    },
  };
}

let lastId = 0;

async function openClients(row, options) {
  row.id = ++lastId;
  return await row.load.ask('open', row.id, { port: row.port ?? row.ports[0], protocol: PEERS[row.peer].protocol, ...options });
}

async function closeClients({ load, server, id }) {
  await load.ask('close', id);
  await server.ask('left');
}

/** Adds what the server has used of its core meanwhile, in microseconds. */
async function observe(row, work) {
  const before = await used(row);
  const result = await work();
  const after = await used(row);
  const cpu = after.cpu - before.cpu;
  row.observed = (row.observed ?? 0) + cpu;
  return { ...result, cpu, ...(row.cluster && { parts: difference(after.parts, before.parts) }) };
}

async function used({ server, cluster }) {
  return { cpu: await server.ask('cpu'), ...(cluster && { parts: await server.ask('parts') }) };
}

function difference(after, before) {
  return {
    workers: after.workers.map((cpu, i) => cpu - before.workers[i]),
    carrier: after.carrier - before.carrier,
    nginx: after.nginx - before.nginx,
  };
}
