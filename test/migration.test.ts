/** What docs/migrating.md says of Socket.IO 2 and 4, where no other test does. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { test } from 'node:test';
import { WebSocket } from 'ws';
import { startApp } from './support/app';
import { ask, connect } from './support/client';

test('the sockets of a namespace and the rooms of an adapter are Maps, the rooms of a socket a Set; and all can be read by key', async t => {
  const { url } = await startApp(t, {
    'app/router.js': `
      module.exports = app => {
        app.io.of('/chat').route('rooms', async ctx => {
          const { socket } = ctx;
          const { nsp } = socket;
          await socket.join('red');
          return {
            sockets: [nsp.sockets instanceof Map, nsp.sockets.get(socket.id) === socket, Object.keys(nsp.sockets)],
            rooms: [nsp.adapter.rooms instanceof Map, nsp.adapter.rooms.get('red')?.size, Object.keys(nsp.adapter.rooms)],
            own: [socket.rooms instanceof Set, socket.rooms.has('red'), Object.keys(socket.rooms)],
          };
        });
      };`,
  });
  const client = await connect(t, `${url}/chat`);
  assert.deepEqual(await ask(client, 'rooms'), {
    sockets: [true, true, [client.id]],
    rooms: [true, 1, [client.id, 'red']],
    own: [true, true, [client.id, 'red']],
  });
});

test('ctx.args and ctx.socket are the packet’s, and the request stays that of the handshake', async t => {
  const { url } = await startApp(t, {
    'app/router.js': `
      const { Socket: TcpSocket } = require('node:net');
      module.exports = app => {
        app.io.route('args', async ctx => ({
          args: ctx.args.slice(0, -1),
          ofRequest: ['args' in ctx.req, 'args' in ctx.request],
          tcp: [ctx.req.socket, ctx.request.socket].map(socket => socket instanceof TcpSocket && socket !== ctx.socket),
        }));
      };`,
  });
  assert.deepEqual(await ask(await connect(t, url), 'args', 'a', { b: 1 }), {
    args: ['a', { b: 1 }],
    ofRequest: [false, false],
    tcp: [true, true],
  });
});

test('the defaults of Socket.IO are those that the table names', async t => {
  const { url, io } = await startApp(t, {});
  const { allowEIO3, maxHttpBufferSize, pingInterval, pingTimeout } = io.engine.opts as Record<string, unknown>; // declared as any
  assert.deepEqual([allowEIO3, maxHttpBufferSize, pingInterval, pingTimeout], [true, 1e6, 25_000, 20_000]);
  // and what a client hears of them
  const response = await fetch(`${url}/socket.io/?EIO=4&transport=polling`);
  const told = JSON.parse((await response.text()).slice(1)) as Record<string, unknown>;
  assert.deepEqual([told['maxPayload'], told['pingInterval'], told['pingTimeout']], [1e6, 25_000, 20_000]);
  assert.deepEqual(response.headers.getSetCookie(), []);
  const webSocket = new WebSocket(`${url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`, { perMessageDeflate: true });
  t.after(() => webSocket.terminate());
  const [upgrade] = (await once(webSocket, 'upgrade')) as [IncomingMessage];
  assert.equal(upgrade.headers['sec-websocket-extensions'], undefined);
});

test('init.cookie sets the cookie again that Socket.IO 2 set', async t => {
  const cases = [
    ['true', 'io'],
    [`'sid'`, 'sid'],
    [`{ name: 'sid' }`, 'sid'],
  ] as const;
  for (const [cookie, name] of cases) {
    const { url, close } = await startApp(t, { 'config/config.default.js': `exports.io = { init: { cookie: ${cookie} } };` });
    const response = await fetch(`${url}/socket.io/?EIO=4&transport=polling`);
    const { sid } = JSON.parse((await response.text()).slice(1)) as { sid: string };
    assert.match(response.headers.getSetCookie().join(), new RegExp(`^${name}=${sid};`), cookie);
    await close();
  }
});

test('a client of version 4 is in the namespaces that it asks for, one of version 2 in / too', async t => {
  const { url, io } = await startApp(t, { 'app/router.js': `module.exports = app => { app.io.of('/chat'); };` });
  await connect(t, `${url}/chat`);
  assert.deepEqual([io.of('/').sockets.size, io.of('/chat').sockets.size], [0, 1]);
  await connect(t, `${url}/chat`, {}, 2);
  assert.deepEqual([io.of('/').sockets.size, io.of('/chat').sockets.size], [1, 2]);
});
