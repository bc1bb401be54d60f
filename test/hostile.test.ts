import assert from 'node:assert/strict';
import { type ClientRequest, request } from 'node:http';
import { createRequire } from 'node:module';
import { connect as connectTcp } from 'node:net';
import { test, type TestContext } from 'node:test';
import { type AppOptions, type Files, type RunningApp, startApp } from './support/app';
import { ask, connect, newClient, next, refusal } from './support/client';
import { openPolling, RawClient } from './support/raw';
import { type EngineConnection, engineConnections, internals, nothingRemains, remains, watchForCrashes } from './support/remains';

/** What the fixtures keep on the app, for tests to hold and to look at. */
interface Gate {
  /** Onions that have begun and not ended. */
  onions: number;
  /** What middleware and sessions wait for, where they say so. */
  open: () => void;
}

const FILES: Files = {
  'app.js': `
    module.exports = class {
      constructor(app) { this.app = app; }
      configDidLoad() {
        const gate = this.app.gate = { onions: 0 };
        gate.opened = new Promise(resolve => { gate.open = resolve; });
      }
    };`,
  'app/io/middleware/counted.js': `
    module.exports = app => async (ctx, next) => {
      app.gate.onions++;
      try { await next(); } finally { app.gate.onions--; app.emit('ended'); }
    };`,
  'app/io/middleware/held.js': `
    module.exports = app => async (ctx, next) => {
      app.emit('held', ctx.socket);
      await app.gate.opened;
      await next();
      app.emit('ascended');
    };`,
  'app/io/middleware/heldAfter.js': `
    module.exports = app => async (ctx, next) => {
      await next();
      app.emit('heldAfter');
      await app.gate.opened;
    };`,
  'app/io/middleware/around.js': `
    module.exports = app => async (ctx, next) => { await next(); };`,
  'app/io/controller/home.js': `
    exports.echo = async ctx => ctx.args[0];`,
  'app/router.js': `
    module.exports = app => {
      for (const nsp of ['/', '/around', '/held', '/after']) {
        for (const event of ['echo', '__proto__', 'constructor', 'toString']) app.io.of(nsp).route(event, app.io.controller.home.echo);
      }
    };`,
  'config/config.default.js': `
    exports.io = {
      namespace: {
        '/': { connectionMiddleware: ['counted'] },
        '/around': { connectionMiddleware: ['counted'], packetMiddleware: ['around'] },
        '/held': { connectionMiddleware: ['counted', 'held'] },
        '/after': { connectionMiddleware: ['counted', 'heldAfter'] },
      },
    };`,
};

async function start(t: TestContext, files: Files = {}, options: AppOptions = {}): Promise<RunningApp & { gate: Gate }> {
  watchForCrashes(t);
  const running = await startApp(t, { ...FILES, ...files }, options);
  return { ...running, gate: Reflect.get(running.app, 'gate') as Gate }; // of app.js above
}

function newest(io: RunningApp['io']): EngineConnection {
  const connection = engineConnections(io).at(-1);
  assert.ok(connection);
  return connection;
}

/** The app goes on for others. */
async function serves(t: TestContext, { url }: RunningApp): Promise<void> {
  const client = await connect(t, url);
  assert.equal(await ask(client, 'echo', 'alive'), 'alive');
  client.disconnect();
}

test('a namespace that nobody made is refused by name, and the connection goes on', async t => {
  const running = await start(t);
  const client = await RawClient.open(t, running.url);
  for (const name of ['/nobody', '/__proto__', '/constructor', `/${'x'.repeat(100_000)}`]) {
    client.frames.length = 0;
    client.send(`40${name},`);
    assert.equal(await client.frame(/^44/), `44${name},{"message":"Invalid namespace"}`);
  }
  client.send('40');
  await client.frame(/^40\{"sid"/);
  client.vanish();
  await nothingRemains(running.io);
  assert.equal(running.gate.onions, 0);
});

const MALFORMED: Record<string, (string | Buffer)[]> = {
  'a frame of no type': ['9'],
  'an empty frame': [''],
  'a packet of no type': ['49'],
  'an empty packet': ['4'],
  'an event that is no JSON': ['42["echo"'],
  'an event that is no array': ['42{"echo":1}'],
  'an event without a name': ['42[]'],
  'an event whose name is null': ['42[null]'],
  'an event whose name is an object': ['42[{"toString":1}]'],
  'an event named connect': ['42["connect"]'],
  'an event named connect_error': ['42["connect_error"]'],
  'an event named disconnect': ['42["disconnect"]'],
  'an event named disconnecting': ['42["disconnecting"]'],
  'an event named newListener': ['42["newListener"]'],
  'an event named removeListener': ['42["removeListener"]'],
  'a connect packet of the server': ['44{"message":"no"}'],
  'an event of a namespace that is not connected': ['42/around,["echo"]'],
  'an acknowledgement that is no array': ['431{"a":1}'],
  'binary data that was not announced': [Buffer.from([1, 2, 3])],
  'binary data that misses': ['451-["echo",{"_placeholder":true,"num":0}]', '42["echo"]'],
  'binary data of an impossible number': ['451-["echo",{"_placeholder":true,"num":"constructor"}]', Buffer.from([1])],
  'a number of attachments that is none': ['45x-["echo"]'],
  'a million attachments': ['451000000-["echo"]'],
};

for (const [what, frames] of Object.entries(MALFORMED)) {
  test(`${what} ends the connection, and only that one`, async t => {
    const running = await start(t);
    const client = await RawClient.connect(t, running.url);
    client.send(...frames);
    await client.closed;
    await nothingRemains(running.io);
    assert.equal(running.gate.onions, 0);
    await serves(t, running);
  });
}

test('events that have nothing but an acknowledgement, or nothing at all, are nobody’s and harm nobody', async t => {
  const running = await start(t);
  for (const nsp of ['', '/around,']) {
    const client = await RawClient.open(t, running.url);
    client.send(`40${nsp}`);
    await client.frame(/^40/);
    client.send(`42${nsp}`, `42${nsp}1`, `43${nsp}1`, `43${nsp}7["what"]`, `42${nsp}[5]`, `42${nsp}3[5,"a"]`, `42${nsp}[""]`);
    client.send(`42${nsp}9["echo","alive"]`);
    assert.equal(await client.frame(/^43/), `43${nsp}9["alive"]`);
    client.vanish();
  }
  await nothingRemains(running.io);
});

test('an event is known by its own name only: names of JavaScript’s own are like any other', async t => {
  const running = await start(t);
  for (const nsp of ['', '/around,']) {
    const client = await RawClient.open(t, running.url);
    client.send(`40${nsp}`);
    await client.frame(/^40/);
    let id = 0;
    for (const name of ['hasOwnProperty', 'valueOf', '__defineGetter__', 'prototype']) client.send(`42${nsp}${id++}["${name}","x"]`); // not routed
    for (const name of ['__proto__', 'constructor', 'toString']) {
      client.send(`42${nsp}${id}["${name}","${name}!"]`);
      assert.equal(await client.frame(new RegExp(`^43${nsp}${id++}\\[`)), `43${nsp}${id - 1}["${name}!"]`);
    }
    assert.deepEqual(client.frames.filter(frame => frame.startsWith('43')).length, 3, 'nobody answers for an event that is not routed');
    client.vanish();
  }
  await nothingRemains(running.io);
});

test('an event named error does not fire the server’s own, and is answered with a code if an answer was asked for', async t => {
  const running = await start(t, {
    'app/router.js': `
      module.exports = app => {
        app.io.route('error', async ctx => { app.emit('routedError', ctx.args[0]); });
        app.io.on('connection', socket => socket.on('error', error => app.emit('routedError', error)));
      };`,
  });
  let fired = 0;
  running.app.on('routedError', () => fired++);
  const client = await RawClient.connect(t, running.url);
  client.send('421["error","mine"]');
  assert.match(await client.frame(/^431/), /"code":"RESERVED_EVENT"/);
  client.send('42["error","mine"]', '422["error","mine"]');
  assert.match(await client.frame(/^432|^42/), /^432/, 'the one that did not ask hears nothing');
  assert.equal(fired, 0);
  client.vanish();
  await nothingRemains(running.io);
});

test('a client that asks for a namespace again and again while its middleware runs has six runs of it at most', async t => {
  const { url, io, app, gate } = await start(t);
  const client = await RawClient.open(t, url);
  for (let run = 1; run <= 6; run++) {
    const held = next(app, 'held');
    client.send('40/held,');
    await held;
  }
  assert.equal(gate.onions, 6);
  assert.deepEqual([remains(io).arrivals, remains(io).preConnectSockets], [1, 1]);
  client.send('40/held,');
  await client.closed;
  assert.equal(gate.onions, 6);
  gate.open();
  await nothingRemains(io);
  assert.equal(gate.onions, 0);
});

test('a second CONNECT to a namespace that is connected ends the connection', async t => {
  const { url, io, gate } = await start(t);
  const client = await RawClient.connect(t, url);
  client.send('40');
  await client.closed;
  await nothingRemains(io);
  assert.equal(gate.onions, 0);
});

for (const [what, frame] of [
  ['an event', '42/held,["echo","early"]'],
  ['a DISCONNECT', '41/held,'],
] as const) {
  test(`${what} before the namespace is connected ends the connection, and its onion`, async t => {
    const { url, io, app, gate } = await start(t);
    const client = await RawClient.open(t, url);
    const held = next(app, 'held');
    client.send('40/held,');
    await held;
    client.send(frame);
    await client.closed;
    gate.open();
    await nothingRemains(io);
    assert.equal(gate.onions, 0);
  });
}

test('a client that vanishes inside a connection middleware leaves nothing', async t => {
  const { url, io, app, gate } = await start(t);
  let connected = 0;
  io.of('/held').on('connection', () => connected++);
  for (const protocol of [3, 4] as const) {
    const client = await RawClient.open(t, url, { protocol });
    const held = next(app, 'held');
    client.send('40/held,');
    await held;
    const closed = next(newest(io), 'close');
    client.vanish();
    await closed;
  }
  assert.equal(gate.onions, 2);
  gate.open();
  await nothingRemains(io);
  assert.equal(gate.onions, 0);
  assert.equal(connected, 0);
});

test('a client that vanishes while the last part of its middleware runs leaves nothing', async t => {
  const { url, io, app, gate } = await start(t);
  const client = await RawClient.open(t, url);
  client.send('40/after,');
  await client.frame(/^40\/after/);
  const heldAfter = next(app, 'heldAfter');
  client.send('41/after,');
  await heldAfter;
  client.vanish();
  gate.open();
  await nothingRemains(io);
  assert.equal(gate.onions, 0);
});

test('a client that vanishes while its session is read leaves nothing, and no middleware runs', async t => {
  const { url, io, app, gate } = await start(t, {
    'app.js': `
      module.exports = class {
        constructor(app) { this.app = app; }
        configDidLoad() {
          const { app } = this;
          const gate = app.gate = { onions: 0 };
          gate.opened = new Promise(resolve => { gate.open = resolve; });
          app.sessionStore = {
            async get() { app.emit('reading'); await gate.opened; return { user: 'x' }; },
            async set() {},
            async destroy() {},
          };
        }
      };`,
    'config/config.default.js': `${FILES['config/config.default.js']}
      exports.session = { encrypt: false, signed: false };`,
  });
  const reading = next(app, 'reading');
  const client = await RawClient.open(t, url, { headers: { cookie: 'EGG_SESS=abc' } });
  let began = 0;
  app.on('held', () => began++);
  const connection = newest(io);
  const closed = next(connection, 'close');
  client.send('40/held,');
  await reading;
  client.vanish();
  await closed;
  gate.open();
  await nothingRemains(io);
  assert.equal(began, 0);
});

test('a client that says goodbye in the breath in which it connects leaves nothing', async t => {
  const { url, io, app, gate } = await start(t);
  const address = await openPolling(url);
  const connection = newest(io);
  const closed = next(connection, 'close');
  let began = 0;
  app.on('held', () => began++);
  const answer = await fetch(address, { method: 'POST', body: ['40/held,', '40', '1'].join('\x1e') });
  assert.equal(answer.status, 200);
  await closed;
  gate.open();
  await nothingRemains(io);
  assert.equal(gate.onions, 0);
  assert.equal(began, 0);
});

test('a namespace made on demand, for a client that has gone meanwhile, begins no onion', async t => {
  const { url, io, gate } = await start(t);
  let decide: (() => void) | undefined;
  const asked = new Promise<void>(resolve => {
    io.of((_name, _auth, answer) => {
      decide = () => answer(null, true);
      resolve();
    });
  });
  const client = await RawClient.open(t, url);
  const closed = next(newest(io), 'close');
  client.send('40/on-demand,');
  await asked;
  client.vanish();
  await closed;
  decide?.();
  await nothingRemains(io);
  assert.equal(gate.onions, 0);
  assert.equal(io._nsps.has('/on-demand'), false);
});

const THROWING: Record<string, string> = {
  'at once, outside any promise': `module.exports = () => () => { throw new Error('no'); };`,
  'before its first await': `module.exports = () => async () => { throw new Error('no'); };`,
  'after an await': `module.exports = () => async () => { await null; throw new Error('no'); };`,
  'what is no error': `module.exports = () => async () => { throw 'no'; };`,
};

for (const [when, middleware] of Object.entries(THROWING)) {
  test(`a middleware that throws ${when} refuses the client, which may try again on the same connection`, async t => {
    const { url, io, gate } = await start(t, {
      'app/io/middleware/throwing.js': middleware,
      'config/config.default.js': `exports.io = { namespace: { '/': { connectionMiddleware: ['counted', 'throwing'] } } };`,
    });
    const client = await RawClient.open(t, url);
    for (let round = 1; round <= 3; round++) {
      client.frames.length = 0;
      client.send('40');
      assert.equal(await client.frame(/^4/), '44{"message":"no","data":{"code":"CONNECTION_REFUSED"}}');
      assert.equal(gate.onions, 0);
    }
    client.vanish();
    await nothingRemains(io);
  });
}

test('a middleware that throws when the client has gone is logged, once', async t => {
  const running = await start(t, {
    'app/io/middleware/throwing.js': `
      module.exports = () => async (ctx, next) => { await next(); throw new Error('too late'); };`,
    'config/config.default.js': `exports.io = { namespace: { '/': { connectionMiddleware: ['counted', 'throwing'] } } };`,
  });
  const client = await RawClient.connect(t, running.url);
  client.vanish();
  await running.logged(/too late/);
  await nothingRemains(running.io);
  assert.equal(running.gate.onions, 0);
  assert.equal(running.logs.filter(line => line.includes('too late')).length, 1);
});

test('middleware of the app’s own io.use() runs after, may refuse, and the onion ascends', async t => {
  const { url, io, gate } = await start(t);
  let refuses = true;
  io.use((_socket, next) => next(refuses ? new Error('not by me') : undefined));
  const client = newClient(t, url);
  assert.equal((await refusal(client)).message, 'not by me');
  await internals(io).runtime.inFlight.idle();
  assert.equal(gate.onions, 0);
  assert.equal(remains(io).arrivals, 0);

  refuses = false;
  const connected = next(client, 'connect');
  client.connect();
  await connected;
  assert.equal(await ask(client, 'echo', 'in'), 'in');
  assert.equal(gate.onions, 1);
  client.disconnect();
  await nothingRemains(io);
  assert.equal(gate.onions, 0);
});

test('middleware of the app’s own io.use() that throws refuses the client, and says no more than that in prod', async t => {
  for (const env of ['unittest', 'prod']) {
    const { url, io, gate, logged, close } = await start(t, {}, env === 'prod' ? { env } : {});
    io.use(() => {
      throw new TypeError('a bug of mine');
    });
    const client = newClient(t, url);
    assert.equal((await refusal(client)).message, env === 'prod' ? 'Internal Server Error' : 'a bug of mine');
    await logged(/ERROR.*a bug of mine/);
    client.disconnect();
    await nothingRemains(io);
    assert.equal(gate.onions, 0);
    await close();
  }
});

test('middleware of the app’s own io.use() that never answers does not outlive the client', async t => {
  const { url, io, app, gate } = await start(t);
  io.use(socket => app.emit('asked', socket));
  const client = await RawClient.open(t, url);
  const asked = next(app, 'asked');
  client.send('40');
  await asked;
  assert.equal(gate.onions, 1);
  const ended = next(app, 'ended');
  client.vanish();
  await ended;
  assert.equal(gate.onions, 0);
  assert.equal(remains(io).arrivals, 0);
});

test('a polling client that polls twice at a time, or aborts its poll or its POST, leaves nothing', async t => {
  const running = await start(t);
  const { url, io, port, gate, server } = running;
  const connectAndPoll = async (): Promise<{ address: string; poll: ClientRequest }> => {
    const address = await openPolling(url);
    await fetch(address, { method: 'POST', body: '40' });
    assert.match(await (await fetch(address)).text(), /^40/);
    const arrived = next(server, 'request');
    const poll = request(address).on('error', () => {}); // it is meant to fail
    poll.end();
    await arrived;
    return { address, poll };
  };

  const twice = await connectAndPoll();
  assert.equal((await fetch(twice.address)).status, 400);
  await nothingRemains(io);

  const aborted = await connectAndPoll();
  const closed = next(newest(io), 'close');
  aborted.poll.destroy();
  await closed;
  await nothingRemains(io);

  const posting = await connectAndPoll();
  const { pathname, search } = new URL(posting.address);
  const broken = next(newest(io), 'close');
  const tcp = connectTcp(port, '127.0.0.1');
  tcp.write(`POST ${pathname}${search} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n42["echo"`, () => tcp.destroy());
  await broken;
  await nothingRemains(io);
  assert.equal(gate.onions, 0);
  await serves(t, running);
});

/** Arrays in arrays, as JSON. */
const nested = (levels: number): string => '['.repeat(levels) + ']'.repeat(levels);

/** What a client may send, by how many levels its innermost part adds to the packet's own; and what it is answered if that is allowed. */
const NESTED: Record<
  string,
  { protocol?: 3; before?: string[]; send: (levels: number, id: string | undefined) => (string | Buffer)[]; answer: RegExp }
> = {
  'an event': { before: ['40'], send: levels => [`420["echo",${nested(levels - 1)}]`], answer: /^430/ },
  'an event of protocol 3': { protocol: 3, send: levels => [`420["echo",${nested(levels - 1)}]`], answer: /^430/ },
  'an event in objects, beside much else': {
    before: ['40'],
    send: levels => [`420["echo",${JSON.stringify('x'.repeat(1000))},${'{"a":0,"b":'.repeat(levels - 2)}{}${'}'.repeat(levels - 2)}]`],
    answer: /^430/,
  },
  'an event with an attachment': {
    before: ['40'],
    send: levels => [`451-0["echo",${'['.repeat(levels - 1)}{"_placeholder":true,"num":0}${']'.repeat(levels - 1)}]`, Buffer.from('bytes')],
    answer: /^461-0/,
  },
  'the data of a handshake': { send: levels => [`40{"a":${nested(levels - 1)}}`], answer: /^40\{/ },
  'an acknowledgement': {
    before: ['40', '42["ask me"]'],
    send: (levels, id) => [`43${id}[${nested(levels - 1)}]`],
    answer: /^42\["answered",true\]/,
  },
};

for (const [what, { protocol = 4, before = [], send, answer }] of Object.entries(NESTED)) {
  test(`${what} may be nested 64 levels deep; one of 65 closes the connection, which is logged once a second`, async t => {
    const { url, io, logged, logs } = await start(t);
    io.on('connection', socket => {
      socket.on('ask me', () => socket.emit('ask', (value: unknown) => socket.emit('answered', Array.isArray(value))));
    });
    const openAndSend = async (levels: number): Promise<RawClient> => {
      const client = await RawClient.open(t, url, { protocol });
      client.send(...before.slice(0, 1));
      if (before.length > 0 || protocol === 3) await client.frame(/^40/);
      client.send(...before.slice(1));
      const question = before.length > 1 ? await client.frame(/^42\d+\["ask"\]/) : '';
      return client.send(...send(levels, /^42(\d+)/.exec(question)?.[1]));
    };
    const allowed = await openAndSend(64);
    await allowed.frame(answer);
    for (let round = 0; round < 2; round++) {
      const refused = await openAndSend(65);
      await refused.closed;
      assert.equal(refused.frames.filter(frame => answer.test(frame)).length, 0);
      const said = refused.frames.at(-1);
      if (what !== 'the data of a handshake')
        assert.equal(said, '42["error","The limit depth is reached",{"code":"LIMIT_REACHED","limit":"depth"}]');
    }
    await logged(
      /^WARN .*IO_LIMIT_REACHED.*nested deeper than 64 levels: its connection is closed; the latest: (socket \S+ of "\/"|a connection) from \S+ \(/,
    );
    assert.equal(logs.filter(line => line.includes('its connection is closed; the latest: ')).length, 1);
    allowed.vanish();
    await nothingRemains(io);
  });
}

/** MessagePack, and no checks. */
const OWN_PARSER: Files = {
  'parser.js': `
    const { EventEmitter } = require('node:events');
    const { decode, encode } = require(${JSON.stringify(createRequire(require.resolve('@socket.io/redis-adapter')).resolve('notepack.io'))});
    exports.Encoder = class { encode(packet) { return [encode(packet)]; } };
    exports.Decoder = class extends EventEmitter {
      add(bytes) { this.emit('decoded', decode(bytes)); }
      destroy() {}
    };`,
  'config/config.default.js': `exports.io = { init: { parser: require('../parser') } };`,
};

test('with a parser of the app as well, what is nested 65 levels deep closes the connection', async t => {
  const { url, io, logged } = await start(t, OWN_PARSER);
  /** \`['echo', ...]\` with arrays in arrays, each of which takes one byte. */
  const packet = (levels: number): Buffer => {
    const inner = '91'.repeat(levels - 2) + '90'; // an array of one; an empty one
    const data = `92a4${Buffer.from('echo').toString('hex')}${inner}`;
    return Buffer.from(`84a474797065 02 a36e7370 a12f a26964 00 a464617461 ${data}`.replaceAll(' ', ''), 'hex');
  };
  const connected = Buffer.from('83a47479706500a36e7370a12fa46461746180', 'hex'); // { type: 0, nsp: '/', data: {} }
  const allowed = await RawClient.open(t, url);
  allowed.send(connected);
  await allowed.frame(/^8/);
  allowed.frames.length = 0;
  allowed.send(packet(64));
  await allowed.frame(/^8/);
  const refused = await RawClient.open(t, url);
  refused.send(connected);
  await refused.frame(/^8/);
  refused.send(packet(65));
  await refused.closed;
  await logged(/nested deeper than 64 levels/);
  allowed.vanish();
  await nothingRemains(io);
});

test('also with a decoder of the app that has `on` as a field', async t => {
  const { url, io, logged } = await start(t, {
    'parser.js': `
      const { Decoder, Encoder } = require(${JSON.stringify(createRequire(require.resolve('socket.io')).resolve('socket.io-parser'))});
      exports.Encoder = Encoder;
      exports.Decoder = class extends Decoder {
        on = (event, listener) => super.on(event, listener);
      };`,
    'config/config.default.js': `exports.io = { init: { parser: require('../parser') } };`,
  });
  const allowed = await RawClient.connect(t, url);
  allowed.send(`420["echo",${nested(63)}]`);
  await allowed.frame(/^430/);
  const refused = await RawClient.connect(t, url);
  refused.send(`420["echo",${nested(64)}]`);
  await refused.closed;
  await logged(/nested deeper than 64 levels/);
  allowed.vanish();
  await nothingRemains(io);
});

test('with a parser of the app as well, auth that is not an object closes the connection, and null is none', async t => {
  const { url, io } = await start(t, { ...OWN_PARSER, 'app/router.js': `module.exports = app => { app.io.of(/^\\/room$/); };` });
  const packet = (auth: string): Buffer =>
    Buffer.from(`83a47479706500a36e7370a5${Buffer.from('/room').toString('hex')}a464617461${auth}`, 'hex');
  for (const text of ['a0', '01']) {
    const refused = await RawClient.open(t, url); // an empty string, a number
    refused.send(packet(text));
    await refused.closed;
    assert.equal(refused.frames.length, 1);
  }
  const client = await RawClient.open(t, url);
  client.send(packet('c0'));
  const auth = Buffer.from('data').toString('hex');
  assert.match(await client.frame(/^8/), new RegExp(`^8.*747970650 *0.*${auth}81a3736964`)); // type 0, with the socket's id
  client.vanish();
  await nothingRemains(io);
});

test('a client that leaves and asks for what is no namespace in the same read is cut off, and ends nothing else', async t => {
  watchForCrashes(t);
  const { url, io } = await startApp(t, {});
  const client = await RawClient.open(t, url, { protocol: 3 });
  client.burst('41', '40//[,'); // Socket.IO makes a URL of the name, which throws
  await client.closed;
  await nothingRemains(io);
  await connect(t, url);
});
