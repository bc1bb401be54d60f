import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { type RunningApp, startApp } from './support/app';
import { ask, type Client, type ClientVersion, connect, newClient, next } from './support/client';
import { nothingRemains, watchForCrashes } from './support/remains';

const VERSIONS: readonly ClientVersion[] = [2, 3, 4];

const TRANSPORTS = {
  polling: ['polling'],
  websocket: ['websocket'],
  'polling, then an upgrade': ['polling', 'websocket'],
};

const BYTES = Buffer.from([0, 1, 2, 253, 254, 255]);

async function start(t: TestContext): Promise<RunningApp> {
  watchForCrashes(t);
  return startApp(t, {
    'app/io/middleware/door.js': `
      module.exports = app => async (ctx, next) => {
        if (ctx.socket.handshake.query.name === 'mallory') throw Object.assign(new Error('not you'), { code: 'NOT_YOU' });
        ctx.emit('welcome', ctx.socket.handshake.query.name);
        await next();
        app.emit('left', ctx.socket.handshake.query.name);
      };`,
    'app/io/controller/home.js': `
      exports.echo = async ctx => ctx.args[0];
      exports.back = async ctx => { ctx.emit('back', ...ctx.args); };
      exports.fail = async () => { throw Object.assign(new Error('it failed'), { status: 409, code: 'FAILED' }); };
      exports.askMe = async ctx => {
        const answer = await new Promise(resolve => ctx.socket.emit('question', { n: 1 }, resolve));
        return { answer };
      };
      exports.whoAmI = async ctx => ({ id: ctx.socket.id, protocol: ctx.socket.conn.protocol, transport: ctx.socket.conn.transport.name });
      exports.leave = async ctx => { ctx.socket.disconnect(); };
      exports.hangUp = async ctx => {
        ctx.socket.conn.transport.closeTimeout = 100; // a timer of Engine.IO, for polls that do not come: it would keep this process for 30 s
        ctx.socket.disconnect(true);
      };
      exports.disconnect = async ctx => { ctx.app.emit('disconnected', ctx.args[0]); };`,
    'app/router.js': `
      module.exports = app => {
        for (const nsp of [app.io, app.io.of('/chat')]) {
          for (const name of ['echo', 'back', 'fail', 'askMe', 'whoAmI', 'leave', 'hangUp', 'disconnect']) nsp.route(name, app.io.controller.home[name]);
        }
      };`,
    'config/config.default.js': `
      exports.io = { namespace: { '/': { connectionMiddleware: ['door'] }, '/chat': { connectionMiddleware: ['door'] } } };`,
  });
}

for (const version of VERSIONS) {
  for (const [name, transports] of Object.entries(TRANSPORTS)) {
    test(`client ${version}, ${name}`, { timeout: 60_000 }, async t => {
      const running = await start(t);
      const { app, io, url } = running;
      /** A part of it. Nothing is left of its clients when the next one begins. */
      const part = async (what: string, run: (t: TestContext, open: () => Promise<Client>) => Promise<void>): Promise<void> => {
        await t.test(what, async t => {
          await run(t, async () => {
            const client = await connect(t, url, { transports, query: { name: 'alice' } }, version);
            if (transports.length > 1) await upgraded(client);
            return client;
          });
        });
        await nothingRemains(io);
      };

      await part('connects, and both ends know the same id', async (_t, open) => {
        const client = await open();
        assert.deepEqual(await ask(client, 'whoAmI'), {
          id: client.id,
          protocol: version === 2 ? 3 : 4,
          transport: transports.at(-1),
        });
      });

      await part('is refused with a reason', async t => {
        const client = newClient(t, url, { transports, query: { name: 'mallory' } }, version);
        if (version === 2) assert.deepEqual(await next(client, 'error'), ['not you']);
        else {
          const [error] = await next<[Error & { data: unknown }]>(client, 'connect_error');
          assert.equal(error.message, 'not you');
          assert.deepEqual(error.data, { code: 'NOT_YOU' });
        }
        assert.equal(client.connected, false);
      });

      await part('events and acknowledgements go both ways', async (_t, open) => {
        const client = await open();
        assert.deepEqual(await ask(client, 'echo', { 聊天: ['室', 1, null] }), { 聊天: ['室', 1, null] });

        const back = next(client, 'back');
        client.emit('back', 1, 'zwei', { drei: [3] });
        assert.deepEqual(await back, [1, 'zwei', { drei: [3] }]);

        client.once('question', (question: { n: number }, answer: (value: unknown) => void) => answer({ n: question.n + 1 }));
        assert.deepEqual(await ask(client, 'askMe'), { answer: { n: 2 } });
      });

      await part('errors arrive in the acknowledgement, or as an event', async (_t, open) => {
        const client = await open();
        assert.deepEqual(await ask(client, 'fail'), { error: { code: 'FAILED', message: 'it failed' } });
        const failed = next(client, 'error');
        client.emit('fail');
        assert.deepEqual(await failed, ['it failed', { code: 'FAILED', event: 'fail' }]);
      });

      await part('binary data goes both ways', async (_t, open) => {
        const client = await open();
        const { file } = (await ask(client, 'echo', { file: BYTES })) as { file: Uint8Array };
        assert.deepEqual(Buffer.from(file), BYTES);
        const back = next<[{ parts: Uint8Array[] }, Uint8Array]>(client, 'back');
        client.emit('back', { parts: [BYTES, BYTES] }, BYTES);
        const [{ parts }, last] = await back;
        assert.deepEqual(
          [...parts, last].map(part => Buffer.from(part)),
          [BYTES, BYTES, BYTES],
        );
      });

      await part('a namespace is joined and left by itself', async (_t, open) => {
        const root = await open();
        const chat = root.io.socket('/chat');
        const connected = next(chat, 'connect');
        await connected;
        assert.equal(await ask(chat, 'echo', 'chat'), 'chat');
        const left = next(app, 'disconnected');
        chat.disconnect();
        assert.deepEqual(await left, ['client namespace disconnect']);
        assert.equal(io.of('/chat').sockets.size, 0);
        assert.equal(await ask(root, 'echo', 'root'), 'root');
        root.disconnect();
        await nothingRemains(io);
      });

      await part('what the server emits while it connects arrives', async t => {
        const client = newClient(t, url, { transports, query: { name: 'alice' } }, version);
        assert.deepEqual(await next(client, 'welcome'), ['alice']);
      });

      await part('leaves, and the server hears why', async (_t, open) => {
        const client = await open();
        const disconnected = next(app, 'disconnected');
        const left = next(app, 'left');
        client.disconnect();
        // protocol 3 closes the connection without a word when its last namespace is left
        assert.match(String((await disconnected)[0]), /^(client namespace disconnect|transport close)$/);
        assert.deepEqual(await left, ['alice']);
        await nothingRemains(io);
      });

      for (const event of ['leave', 'hangUp']) {
        await part(`is told to go by the server (${event})`, async (_t, open) => {
          const client = await open();
          const told = next(client, 'disconnect');
          const left = next(app, 'left');
          client.emit(event);
          assert.equal((await told)[0], 'io server disconnect');
          await left;
          client.disconnect();
          await nothingRemains(io);
        });
      }

      await part('is told when the server closes', async (_t, open) => {
        const client = await open();
        const told = next(client, 'disconnect');
        await running.close();
        // a poll that is cut off is an error to the client
        assert.match(String((await told)[0]), name === 'polling' ? /^transport (close|error)$/ : /^transport close$/);
      });
    });
  }
}

test('clients of all versions and transports hear one broadcast, side by side', async t => {
  const { url, io } = await start(t);
  const clients = await Promise.all(
    VERSIONS.flatMap(version =>
      Object.values(TRANSPORTS).map(transports => connect(t, url, { transports, query: { name: 'alice' } }, version)),
    ),
  );
  const heard = Promise.all(clients.map(client => next<[string, Uint8Array]>(client, 'news')));
  io.emit('news', 'for all', BYTES);
  for (const [text, bytes] of await heard) {
    assert.equal(text, 'for all');
    assert.deepEqual(Buffer.from(bytes), BYTES);
  }
  assert.equal(io.sockets.sockets.size, 9);
});

/** Resolves when the client has changed over to WebSocket. */
async function upgraded(client: Client): Promise<void> {
  const { engine } = client.io;
  if (engine.transport.name !== 'websocket') await next(engine as unknown as NodeJS.EventEmitter, 'upgrade'); // its own emitter, of the same shape
}
