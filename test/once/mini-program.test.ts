/** The client for mini programs, as it is built, on each platform, against the real plugin. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { io as Io, MiniProgramError, Options, Socket } from 'egg-socket.io-mini-program';
import type { move as Move } from 'egg-socket.io-mini-program/client';
import type { Socket as ServerSocket } from 'socket.io';
import { type Files, startApp } from '../support/app';
import { next } from '../support/client';
import { type HideOptions, MiniProgram } from '../support/mini-program';
import { PLATFORMS, type PlatformName, simulate, type Simulation, type SimulationOptions } from '../support/platforms';

const FILES: Files = {
  'config/config.default.js': `exports.io = {
    init: { maxHttpBufferSize: 20000 },
    namespace: { '/guarded': { connectionMiddleware: ['guard'] } },
  };`,
  'app/io/middleware/guard.js': `module.exports = () => async ctx => { throw new Error('Nobody gets in'); };`,
  'app/io/controller/chat.js': `
    exports.echo = async ctx => ctx.args[0];
    exports.reverse = async ctx => Buffer.from(ctx.args[0]).reverse();
    exports.note = async ctx => { ctx.socket.emit('noted', ctx.args[0]); };
    exports.headers = async ctx => ctx.socket.handshake.headers;
    exports.drop = async ctx => { ctx.socket.conn.close(); };`,
  'app/router.js': `module.exports = ({ io }) => {
    for (const name of ['echo', 'reverse', 'note', 'headers', 'drop']) io.route(name, io.controller.chat[name]);
    io.of('/other').route('echo', io.controller.chat.echo);
    io.of('/guarded').route('echo', io.controller.chat.echo);
  };`,
};

const ONE_SOCKET: PlatformName = 'my before 2.3.1';
/** Far longer than any test: who connects sooner has not waited for it. */
const NEVER = 600_000;

for (const name of PLATFORMS) {
  test(`on ${name}`, { timeout: 60_000 }, async t => {
    const app = await startApp(t, FILES);
    const on = (behaviour: string, run: (phone: Phone, t: TestContext) => Promise<void>): Promise<void> =>
      t.test(behaviour, async t => run(new Phone(t, name, app.url), t));

    await on('events, acknowledgements and their errors come and go', async phone => {
      const socket = await phone.connect();
      assert.equal(await socket.emitWithAck('echo', 'hello · 你好 · 😀'), 'hello · 你好 · 😀');
      const noted = next(socket, 'noted');
      socket.emit('note', { text: 'to all' });
      assert.deepEqual(plain(await noted), [{ text: 'to all' }]);
      assert.equal(socket.io.engine.transport.name, 'websocket');
    });

    await on('binary data of any length comes and goes as an ArrayBuffer', async phone => {
      const socket = await phone.connect();
      for (const length of [0, 1, 2, 3, 4, 255, 10_000]) {
        const bytes = phone.evaluate(`Uint8Array.from({ length: ${length} }, (_, at) => at * 7)`) as Uint8Array;
        const answer = await socket.emitWithAck('reverse', bytes);
        assert.ok(phone.isArrayBuffer(answer), 'not an ArrayBuffer of the program');
        assert.deepEqual([...new Uint8Array(answer)], [...bytes].toReversed());
        const part = phone.evaluate(`new Uint8Array([1, 2, 3, 4, 5]).subarray(1, 4)`);
        assert.deepEqual([...new Uint8Array(await socket.emitWithAck('reverse', part))], [4, 3, 2]);
      }
    });

    await on('a thousand messages each way arrive in their order', async phone => {
      const socket = await phone.connect();
      const arrived: number[] = [];
      const all = new Promise<void>(resolve => {
        socket.on('noted', (number: number) => {
          if (arrived.push(number) === 1000) resolve();
        });
      });
      const numbers = Array.from({ length: 1000 }, (_, number) => number);
      for (const number of numbers) socket.emit('note', number);
      await all;
      assert.deepEqual(arrived, numbers);
    });

    await on('namespaces share one socket', async phone => {
      const [main, other] = [await phone.connect(), await phone.connect('/other')];
      assert.equal(await main.emitWithAck('echo', 1), 1);
      assert.equal(await other.emitWithAck('echo', 2), 2);
      assert.equal(phone.sockets(), 1);
      main.disconnect();
      assert.equal(await other.emitWithAck('echo', 3), 3);
    });

    await on('a guard refuses with its message', async phone => {
      const socket = phone.io('/guarded');
      const [error] = await next<[Error]>(socket, 'connect_error');
      assert.equal(error.message, 'Nobody gets in');
      assert.equal(socket.active, false);
    });

    await on('a server that is not there is a clear error', async (phone, t) => {
      const absent = new Phone(t, name, 'http://127.0.0.1:1');
      const socket = absent.io('', { reconnectionDelay: 1, reconnectionDelayMax: 1 });
      for (let attempt = 0; attempt < 7; attempt++) {
        const error = await absent.problem(socket);
        assert.match(error.message, /^CONNECT_FAILED: no connection \(.+\)$/, 'no word of other sockets');
      }
      void phone;
    });

    await on('headers arrive, but for the Referer, which nobody may set', async phone => {
      const socket = await phone.connect('', { extraHeaders: { cookie: 'a=1', 'x-token': 'secret' } });
      const headers = (await socket.emitWithAck('headers')) as Record<string, string>;
      assert.equal(headers['cookie'], 'a=1');
      assert.equal(headers['x-token'], 'secret');
      assert.equal(headers['referer'], phone.handshake()['referer']);
      const error = await phone.problem(phone.io('', { forceNew: true, extraHeaders: { referer: 'https://example.com' } }));
      assert.equal(error.code, 'REFERER_FORBIDDEN');
    });

    await on('a socket that is closed before it is open does not stay', async phone => {
      const socket = phone.io();
      await phone.began();
      socket.disconnect();
      await phone.hasSockets(0);
      socket.connect();
      await next(socket, 'connect');
      assert.equal(await socket.emitWithAck('echo', 1), 1);
      assert.equal(phone.sockets(), 1);
    });

    await on('who disconnects and connects at once hears nothing of the first connection', async phone => {
      const socket = await phone.connect();
      for (let round = 0; round < 3; round++) {
        const [former, reasons] = [socket.id, [] as string[]];
        socket.disconnect();
        const listen = (reason: string): void => void reasons.push(reason);
        socket.on('disconnect', listen);
        socket.connect();
        await next(socket, 'connect');
        assert.notEqual(socket.id, former);
        await phone.settled(1);
        assert.equal(await socket.emitWithAck('echo', round), round);
        assert.deepEqual(reasons, []);
        socket.off('disconnect', listen);
      }
      assert.equal(phone.sockets(), 1);
      socket.disconnect();
      await phone.settled(0);
      assert.equal(phone.listeners(), 0, 'listeners are left behind');
    });

    await on('a connection that the server ends says so, and comes again', async phone => {
      const socket = await phone.connect('', { reconnectionDelay: 1 });
      socket.emit('drop');
      const [reason, details] = await next<[string, { context?: object }]>(socket, 'disconnect');
      assert.equal(reason, 'transport close');
      assert.ok(details.context, 'the event of the platform');
      await next(socket, 'connect');
      assert.equal(await socket.emitWithAck('echo', 1), 1);
    });

    await on('a fault of the network is a clear error, and it comes again', async phone => {
      const socket = await phone.connect('', { reconnectionDelay: 1 });
      const end = next<[string, { message: string; description: MiniProgramError | string }]>(socket, 'disconnect');
      phone.breakDown();
      const [reason, { message, description }] = await end;
      if (typeof description === 'string') assert.equal(reason, 'transport close');
      else assert.match(message, /^CONNECTION_FAILED: connection lost \(.*Software caused connection abort.*\)$/);
      assert.equal(typeof description === 'string', name === 'ks', 'the platform that tells of no errors');
      await next(socket, 'connect');
      assert.equal(await socket.emitWithAck('echo', 1), 1);
      await phone.settled(1);
    });

    await on('a frame that is longer than the server takes is a clear error, and is not sent', async phone => {
      const socket = await phone.connect('', { reconnectionDelay: 1 });
      for (const fits of ['你'.repeat(6600), '😀'.repeat(4950)]) assert.equal(await socket.emitWithAck('echo', fits), fits);
      for (const long of ['a'.repeat(20_000), '你'.repeat(6700), phone.evaluate('new ArrayBuffer(20001)')]) {
        const end = next<[string, { message: string; description: MiniProgramError }]>(socket, 'disconnect');
        socket.emit('echo', long);
        const [reason, details] = await end;
        assert.equal(reason, 'transport error');
        assert.equal(details.description.code, 'FRAME_TOO_LONG');
        assert.match(details.message, /^FRAME_TOO_LONG: it has \d+ bytes, the server takes 20000; /);
        await next(socket, 'connect');
      }
    });

    for (const hidden of [
      { sockets: 'end' },
      { sockets: 'end', first: 'events' },
      { sockets: 'end untold' },
      { sockets: 'end untold', first: 'events' },
    ] satisfies HideOptions[]) {
      await on(`after the background it connects at once (${hidden.sockets}, ${hidden.first ?? 'shown'} first)`, async phone => {
        const options = { reconnectionDelay: NEVER, reconnectionDelayMax: NEVER };
        const [socket, other] = [await phone.connect('', options), await phone.connect('/other', options)];
        const end = next<[string, { description: MiniProgramError | string; context?: object }]>(socket, 'disconnect');
        phone.hide(hidden);
        await phone.hasSockets(0);
        phone.show();
        const [, details] = await end;
        // what comes first when it is shown: that the platform says so, or that it cannot send
        if (typeof details.description !== 'string') assert.equal(details.description.code, 'SEND_FAILED');
        else assert.deepEqual(plain(details.context), { code: 1000, reason: 'interrupted' });
        if (hidden.sockets === 'end untold') assert.ok(typeof details.description !== 'string', 'nobody has asked the platform');
        await Promise.all([next(socket, 'connect'), next(other, 'connect')]); // and not after the delay
        assert.equal(await socket.emitWithAck('echo', 1), 1);
        assert.equal(await other.emitWithAck('echo', 2), 2);
        await phone.settled(1);
        assert.ok(socket.connected, 'the late end of the former socket is not its end');
      });
    }

    await on('what is still connected after the background stays so', async phone => {
      const socket = await phone.connect();
      const { id } = socket;
      phone.hide({ sockets: 'stay' });
      phone.show();
      assert.equal(await socket.emitWithAck('echo', 1), 1);
      assert.equal(socket.id, id);
    });

    await on('an attempt that was begun in the background is begun again', async phone => {
      const socket = await phone.connect('', { reconnectionDelay: NEVER, reconnectionDelayMax: NEVER });
      socket.emit('drop');
      await next(socket, 'disconnect');
      phone.hide({ sockets: 'end' });
      phone.show();
      await next(socket, 'connect');
    });

    await on('who has disconnected stays so after the background', async phone => {
      const socket = await phone.connect();
      socket.disconnect();
      phone.hide({ sockets: 'end' });
      phone.show();
      await phone.hasSockets(0);
      assert.equal(socket.active, false);
    });

    await on('a client that is asked to move opens its next connection first, where there may be two', async phone => {
      const socket = phone.io('', { reconnectionDelay: 1 });
      phone.move(socket);
      const heard: string[] = [];
      for (const event of ['connect', 'disconnect']) socket.on(event, () => heard.push(event));
      const [[server]] = await Promise.all([next<[ServerSocket]>(app.io, 'connection'), next(socket, 'connect')]);
      const isReady = new Promise<void>(resolve => server.emit('$io:move', resolve));
      if (name !== ONE_SOCKET) {
        await isReady;
        assert.equal(phone.sockets(), 2);
      }
      const back = next(socket, 'connect');
      server.emit('$io:move', null);
      server.conn.close();
      await back;
      assert.equal(await socket.emitWithAck('echo', 1), 1);
      await phone.settled(1);
      assert.deepEqual(heard, name === ONE_SOCKET ? ['connect', 'disconnect', 'connect'] : ['connect', 'connect']);
    });

    if (name === ONE_SOCKET) {
      await on('a second connection is a clear error, until the first has ended', async phone => {
        const first = await phone.connect();
        const second = phone.io('', { forceNew: true, reconnectionDelay: 1, reconnectionDelayMax: 1 });
        const error = await phone.problem(second);
        assert.match(error.message, /^ONE_SOCKET_ONLY: the only one is in use; let namespaces share one, or disconnect\(\) one$/);
        first.disconnect();
        await next(second, 'connect');
        assert.equal(await second.emitWithAck('echo', 1), 1);
      });
    } else {
      await on('a sixth socket is a clear error, until one of the others has gone', async phone => {
        const options = { forceNew: true, reconnectionDelay: 1, reconnectionDelayMax: 1 };
        const [first] = await Promise.all(Array.from({ length: 5 }, () => phone.connect('', options)));
        const sixth = phone.io('', options);
        const error = await phone.problem(sixth);
        assert.match(
          error.message,
          /^CONNECT_FAILED: no connection \(.*\); there may be 5: let namespaces share one, or disconnect\(\) one$/,
        );
        first?.disconnect();
        await next(sixth, 'connect');
        assert.equal(await sixth.emitWithAck('echo', 1), 1);
      });
    }

    if (name !== 'uni on my') {
      await on('a subprotocol is agreed on', async phone => {
        const socket = await phone.connect('', { protocols: ['chat.v1', 'chat.v2'] });
        const headers = (await socket.emitWithAck('headers')) as Record<string, string>;
        assert.equal(headers['sec-websocket-protocol'], 'chat.v1,chat.v2');
      });
    }

    await t.test('it comes back after the server has been restarted', async t => {
      const first = await startApp(t, FILES);
      const phone = new Phone(t, name, first.url);
      const socket = await phone.connect('', { reconnectionDelay: 10, reconnectionDelayMax: 10 });
      const gone = next(socket, 'disconnect');
      await first.close();
      await gone;
      await next(socket.io, 'reconnect_error'); // at least one attempt in vain
      const back = next(socket, 'connect');
      await startApp(t, FILES, { port: first.port });
      await back;
      assert.equal(await socket.emitWithAck('echo', 1), 1);
      await phone.settled(1);
      assert.equal(socket.connected, true);
    });
  });
}

test('the simulations note what a platform forbids', async t => {
  const app = await startApp(t, FILES);
  const api = (
    name: PlatformName,
  ): { program: MiniProgram; connect(options: object): { send(options: object): void; close(options: object): void } } => {
    const { program } = simulate(t, name, app.url);
    const { connectSocket: connect } = program.evaluate(name) as {
      connectSocket(options: object): ReturnType<ReturnType<typeof api>['connect']>;
    };
    return { program, connect: options => connect({ url: 'wss://example.com/socket.io/?EIO=4&transport=websocket', ...options }) };
  };
  const wx = api('wx');
  const task = wx.connect({ multiple: true, header: { referer: 'https://example.com', number: 1 }, protocols: 'one' });
  task.send({ data: new Uint8Array(1) });
  task.close({ code: 1001, reason: 'x'.repeat(124) });
  assert.throws(
    () => wx.program.end(),
    (error: Error) => {
      assert.deepEqual(error.message.split('\n').slice(1), [
        'wx.connectSocket() has no option multiple',
        'wx.connectSocket() sets the Referer',
        'wx.connectSocket() has a header that is no string: number',
        'wx.connectSocket() has protocols that are no array',
        'wx: sends neither a string nor an ArrayBuffer',
        'wx: closes with code 1001',
        'wx: closes with a reason of more than 123 bytes',
      ]);
      return true;
    },
  );
  const my = api('my');
  my.connect({}).send({ data: my.program.toArrayBuffer(new Uint8Array(1)) });
  assert.throws(() => my.program.end(), /without multiple gives no SocketTask\nmy: sends neither/);
  const bare = new MiniProgram(t, () => ({}));
  bare.run('more = 1;', 'more.js');
  assert.throws(() => bare.end(), /adds to the globals: more/);
  assert.throws(() => bare.evaluate("(() => {}).constructor('return 1')()"), /Code generation from strings disallowed/);
});

test('it takes http for ws, and what WeChat alone can do', async t => {
  const app = await startApp(t, FILES);
  const phone = new Phone(t, 'wx', app.url);
  await phone.connect('', { tcpNoDelay: true, perMessageDeflate: true });
  assert.deepEqual(phone.choices(), { tcpNoDelay: true, perMessageDeflate: true });
  assert.match(phone.address(), /^wss:\/\/example\.com\/socket\.io\//);
  for (const [given, asked] of [
    ['https://example.com:8443', 'wss://example.com:8443/'],
    ['http://example.com', 'ws://example.com/'],
    ['ws://[::1]:7001/chat', 'ws://[::1]:7001/'],
  ]) {
    const socket = phone.io('', { forceNew: true }, given);
    await next(socket.io, 'open');
    assert.ok(phone.address().startsWith(asked ?? ''), `${given} became ${phone.address()}`);
    assert.deepEqual(phone.choices(), {});
  }
});

test('an address that names no server is a clear error', t => {
  const phone = new Phone(t, 'wx', 'http://127.0.0.1:1');
  for (const address of ['', '/chat', 'example.com', '//example.com', 'ftp://example.com', 'wss://', 'wss:///chat', null, {}])
    assert.throws(() => phone.io('', {}, address as string), {
      code: 'URL_INCOMPLETE',
      message: /^URL_INCOMPLETE: io\(.*\) names no server/,
    });
});

test('where there is no platform, or another is given, the error says what to give', t => {
  const phone = new Phone(t, 'wx', 'http://127.0.0.1:1');
  for (const platform of [{}, 1, null, { connectSocket: true }])
    assert.throws(() => phone.io('', { platform: platform as NonNullable<Options['platform']> }), {
      code: 'NO_PLATFORM',
      message: 'NO_PLATFORM: there is no connectSocket() in what is given; give yours, as in { platform: wx }',
    });
  const bare = new MiniProgram(t, () => ({}));
  const { io } = bare.requirePackage('egg-socket.io-mini-program') as { io: typeof Io };
  assert.throws(() => io('wss://example.com'), {
    code: 'NO_PLATFORM',
    message: 'NO_PLATFORM: there is no connectSocket() in wx, my, tt, swan, qq, ks or uni; give yours, as in { platform: wx }',
  });
});

test('binary data of another realm, as developer tools have it, arrives', async t => {
  const app = await startApp(t, FILES);
  const phone = new Phone(t, 'wx', app.url, { hasForeignBuffers: true });
  const socket = await phone.connect();
  const answer = await socket.emitWithAck('reverse', phone.evaluate('new Uint8Array([1, 2, 3])'));
  assert.ok(phone.isArrayBuffer(answer));
  assert.deepEqual([...new Uint8Array(answer)], [3, 2, 1]);
});

test('a game comes back from the background as well', async t => {
  const app = await startApp(t, FILES);
  const phone = new Phone(t, 'wx', app.url, { isGame: true });
  const socket = await phone.connect('', { reconnectionDelay: NEVER, reconnectionDelayMax: NEVER });
  phone.hide({ sockets: 'end untold' });
  await phone.hasSockets(0);
  phone.show();
  await next(socket, 'connect');
});

test('where a platform does not tell of the end of its only socket, the next one comes after a while', async t => {
  const app = await startApp(t, FILES);
  const phone = new Phone(t, ONE_SOCKET, app.url, { isSilent: true });
  const socket = await phone.connect();
  socket.disconnect();
  socket.connect();
  await next(socket, 'connect');
  assert.equal(await socket.emitWithAck('echo', 1), 1);
  assert.equal(phone.sockets(), 1);
});

test('where a server does not say how much it takes, all is sent', async t => {
  const app = await startApp(t, FILES);
  Object.assign(app.io.engine.opts, { maxHttpBufferSize: undefined }); // which the handshake tells since Engine.IO 6.2
  const phone = new Phone(t, 'wx', app.url);
  assert.equal(await (await phone.connect()).emitWithAck('echo', '你'.repeat(5000)), '你'.repeat(5000));
});

test('a connection that has ended sends nothing when the program comes back, and one that is there does', async t => {
  const app = await startApp(t, FILES);
  const phone = new Phone(t, 'wx', app.url);
  const socket = await phone.connect();
  const webSocket = Reflect.get(socket.io.engine.transport, 'ws') as { send(data: unknown): void };
  const { send } = webSocket;
  const sent: unknown[] = [];
  Object.assign(webSocket, {
    send(data: unknown) {
      sent.push(data);
      send(data);
    },
  });
  const comeBack = (): unknown[] => {
    sent.length = 0;
    phone.hide({ sockets: 'stay' });
    phone.show();
    return [...sent];
  };
  assert.deepEqual(comeBack(), ['6']);
  socket.disconnect();
  await phone.settled(0);
  assert.deepEqual(comeBack(), []);
});

test('who wants no reconnection is not connected again after the background', async t => {
  const app = await startApp(t, FILES);
  const phone = new Phone(t, 'wx', app.url);
  const socket = await phone.connect('', { reconnection: false });
  phone.hide({ sockets: 'end' });
  phone.show();
  await next(socket, 'disconnect');
  await phone.settled(0);
  assert.equal(phone.sockets(), 0);
});

/** A program on a platform, with the built package in it. */
class Phone {
  readonly move: typeof Move;
  readonly #simulation: Simulation;
  readonly #io: typeof Io;
  readonly #sockets: Socket[] = [];

  constructor(t: TestContext, name: PlatformName, url: string, options: SimulationOptions = {}) {
    this.#simulation = simulate(t, name, url, options);
    const { program } = this.#simulation;
    ({ io: this.#io } = program.requirePackage('egg-socket.io-mini-program') as { io: typeof Io });
    ({ move: this.move } = program.requirePackage('egg-socket.io-mini-program/client') as { move: typeof Move });
    t.after(() => this.#sockets.forEach(socket => socket.disconnect()));
  }

  io(namespace = '', options: Options = {}, address = `wss://example.com${namespace}`): Socket {
    const { platform } = this.#simulation;
    const given = platform ? { platform: platform as NonNullable<Options['platform']> } : {}; // it has connectSocket()
    const socket = this.#io(address, { ...given, ...options });
    this.#sockets.push(socket);
    return socket;
  }

  async connect(namespace = '', options: Options = {}): Promise<Socket> {
    const socket = this.io(namespace, options);
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('connect_error', reject);
    });
    socket.off('connect_error');
    return socket;
  }

  /** Why the next attempt of a socket fails. */
  async problem(socket: Socket): Promise<MiniProgramError> {
    const [error] = await next<[Error & { description: MiniProgramError }]>(socket, 'connect_error');
    assert.equal(error.message, error.description.message);
    assert.ok(error.message.startsWith(`${error.description.code}: `));
    return error.description;
  }

  /** Resolves when the platform has been asked for a socket. */
  async began(): Promise<void> {
    while (this.sockets() === 0) await turn();
  }

  async hasSockets(count: number): Promise<void> {
    while (this.sockets() !== count) await turn();
  }

  /** Resolves when there are so many sockets, and the events of those that have ended have come, which a platform may tell late. */
  async settled(sockets: number): Promise<void> {
    await this.hasSockets(sockets);
    await turn();
    await this.#simulation.late();
    await turn();
  }

  sockets = (): number => this.#simulation.sockets();
  listeners = (): number => this.#simulation.listeners();
  address = (): string => this.#simulation.address();
  handshake = (): Record<string, string> => this.#simulation.handshake();
  choices = (): Record<string, unknown> => this.#simulation.choices();
  evaluate = (expression: string): unknown => this.#simulation.program.evaluate(expression);
  isArrayBuffer = (value: unknown): value is ArrayBuffer => this.#simulation.program.isArrayBuffer(value);
  breakDown = (): void => this.#simulation.breakDown();
  hide = (options: HideOptions): void => this.#simulation.program.hide(options);
  show = (): void => this.#simulation.program.show();
}

/** Of this realm. */
function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}

async function turn(): Promise<void> {
  await new Promise(resolve => setImmediate(resolve));
}
