/** A room app in the way that egg apps of 2018 were written, with the calls of Socket.IO 2: it runs as it is. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { Redis } from 'ioredis';
import { type Files, hostFolder, HOST, type RunningApp, startApp } from './support/app';
import { type Client, type ClientVersion, connect, newClient, next } from './support/client';
import { startRedis } from './support/redis';
import { watchForCrashes } from './support/remains';

const APP: Files = {
  'app/extend/helper.js': `
    'use strict';
    module.exports = {
      parseMsg(action, payload = {}, metadata = {}) {
        const meta = Object.assign({}, { timestamp: Date.now() }, metadata);
        return { meta, data: { action, payload } };
      },
    };`,
  'app/io/middleware/room.js': `
    'use strict';
    module.exports = app => {
      return async (ctx, next) => {
        const { socket, logger, helper } = ctx;
        const id = socket.id;
        const nsp = app.io.of('/rooms');
        const { room, userId } = socket.handshake.query;

        // tells someone why, and shows them out
        const tick = (id, msg) => {
          socket.emit(id, helper.parseMsg('deny', msg));
          nsp.adapter.remoteDisconnect(id, true, err => {
            if (err) logger.error(err);
          });
        };

        const hasRoom = await app.redis.get('room:' + room);
        if (!hasRoom) {
          tick(id, { type: 'deleted', message: 'there is no such room' });
          return;
        }

        socket.join(room);
        nsp.adapter.clients([ room ], (err, clients) => {
          if (err) return logger.error(err);
          nsp.to(room).emit('online', { clients, action: 'join', target: 'participator', userId });
        });

        await next();

        nsp.adapter.clients([ room ], (err, clients) => {
          if (err) return logger.error(err);
          nsp.to(room).emit('online', { clients, action: 'leave', target: 'participator', userId });
        });
      };
    };`,
  'app/io/middleware/trace.js': `
    'use strict';
    module.exports = app => {
      return async (ctx, next) => {
        app.packets = app.packets || [];
        app.packets.push(ctx.packet[0]);
        await next();
      };
    };`,
  'app/io/controller/nsp.js': `
    'use strict';
    module.exports = app => {
      class NspController extends app.Controller {
        async exchange() {
          const { ctx, app } = this;
          const nsp = app.io.of('/rooms');
          const message = ctx.args[0] || {};
          const socket = ctx.socket;
          try {
            const { target, payload } = message;
            if (!target) return;
            const msg = ctx.helper.parseMsg('exchange', payload, { client: socket.id, target });
            nsp.emit(target, msg);
          } catch (error) {
            app.logger.error(error);
          }
        }

        async whisper() {
          const { ctx, app } = this;
          const { target, payload } = ctx.args[0];
          app.io.of('/rooms').to(target).emit('whisper', ctx.helper.parseMsg('whisper', payload, { client: ctx.socket.id }));
        }

        async kick() {
          const { ctx, app } = this;
          app.io.of('/rooms').adapter.remoteDisconnect(ctx.args[0], true, err => {
            if (err) app.logger.error(err);
          });
        }
      }
      return NspController;
    };`,
  'app/router.js': `
    'use strict';
    module.exports = app => {
      const { io } = app;
      io.of('/rooms').route('exchange', io.controller.nsp.exchange);
      io.of('/rooms').route('whisper', io.controller.nsp.whisper);
      io.of('/rooms').route('kick', io.controller.nsp.kick);
    };`,
};

async function start(t: TestContext): Promise<RunningApp> {
  watchForCrashes(t);
  const { port } = await startRedis(t);
  const redis = new Redis({ port });
  await redis.set('room:tea', 'open');
  redis.disconnect();
  const isPlugin = HOST === 'egg3'; // egg-redis, which there is for egg 3
  return startApp(t, {
    ...APP,
    'config/plugin.js': isPlugin ? `exports.redis = { enable: true, package: 'egg-redis' };` : '',
    // elsewhere the app makes its own client, as egg-redis does; that one leaves it open when the app closes
    'app.js': `
      'use strict';
      const Redis = require(${JSON.stringify(`${hostFolder()}/node_modules/ioredis`)});
      module.exports = class {
        constructor(app) { this.app = app; }
        configDidLoad() {
          if (!${isPlugin}) this.app.redis = new Redis(this.app.config.redis.client);
        }
        async beforeClose() { this.app.redis.disconnect(); }
      };`,
    'config/config.default.js': `
      exports.redis = { client: { host: '127.0.0.1', port: ${port}, password: '', db: 0 } };
      exports.io = {
        namespace: { '/rooms': { connectionMiddleware: [ 'room' ], packetMiddleware: [ 'trace' ] } },
        redis: { host: '127.0.0.1', port: ${port}, auth_pass: '', db: 0 },
      };`,
  });
}

interface Online {
  clients: string[];
  action: 'join' | 'leave';
  userId: string;
}

/** Resolves when someone joins or leaves, with the list of who is there. */
async function online(client: Client, action: Online['action'], userId: string): Promise<string[]> {
  // one listener for all: two messages may come in one turn
  return new Promise(resolve => {
    const listener = (message: Online): void => {
      if (message.action !== action || message.userId !== userId) return;
      client.off('online', listener);
      resolve(message.clients.toSorted());
    };
    client.on('online', listener);
  });
}

for (const version of [2, 4] as const satisfies ClientVersion[]) {
  const enter = async (t: TestContext, { url }: RunningApp, userId: string): Promise<Client & { id: string }> =>
    (await connect(t, `${url}/rooms`, { query: { room: 'tea', userId } }, version)) as Client & { id: string }; // it is connected

  test(`the room app, client ${version}: who is online is told to all when someone joins, leaves or is kicked`, async t => {
    const app = await start(t);
    const alice = await enter(t, app, 'alice');
    let told = online(alice, 'join', 'bob');
    const bob = await enter(t, app, 'bob');
    assert.deepEqual(await told, [alice.id, bob.id].toSorted());

    told = online(alice, 'leave', 'bob');
    bob.disconnect();
    assert.deepEqual(await told, [alice.id]);

    told = online(alice, 'join', 'carol');
    const carol = await enter(t, app, 'carol');
    assert.deepEqual(await told, [alice.id, carol.id].toSorted());
    told = online(alice, 'leave', 'carol');
    const kicked = next(carol, 'disconnect');
    alice.emit('kick', carol.id);
    await kicked;
    assert.deepEqual(await told, [alice.id]);
    await app.close();
  });

  test(`the room app, client ${version}: a message reaches one by id, and passes the packet middleware`, async t => {
    const app = await start(t);
    const [alice, bob] = [await enter(t, app, 'alice'), await enter(t, app, 'bob')];

    const exchanged = next<[{ meta: object; data: object }]>(bob, bob.id);
    alice.emit('exchange', { target: bob.id, payload: { offer: 1 } });
    const [message] = await exchanged;
    assert.deepEqual(message.data, { action: 'exchange', payload: { offer: 1 } });
    assert.deepEqual({ ...message.meta, timestamp: 0 }, { timestamp: 0, client: alice.id, target: bob.id });

    const whispered = next<[{ data: object }]>(bob, 'whisper');
    alice.emit('whisper', { target: bob.id, payload: 'psst' });
    assert.deepEqual((await whispered)[0].data, { action: 'whisper', payload: 'psst' });
    assert.deepEqual(Reflect.get(app.app, 'packets'), ['exchange', 'whisper']);
    await app.close();
  });

  test(`the room app, client ${version}: who asks for a room that is not there is turned away`, async t => {
    const { url, io, close } = await start(t);
    const client = newClient(t, `${url}/rooms`, { query: { room: 'none', userId: 'eve' } }, version);
    const refused = await Promise.race([next(client, 'connect_error'), next(client, 'error')]);
    assert.match(String(refused[0]), /refused/i);
    assert.equal(io.of('/rooms').sockets.size, 0);
    await close();
  });
}
