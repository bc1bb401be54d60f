/** `ctx.signal`: what waits for a client ends when that goes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startApp } from './support/app';
import { ask, type ClientVersion, connect, newClient, next } from './support/client';
import { RawClient } from './support/raw';
import { nothingRemains, watchForCrashes } from './support/remains';

/** `app.signals` has what became of each signal. */
const FILES = {
  'config/config.default.js': `exports.io = {
    namespace: {
      '/': {},
      '/slow': { connectionMiddleware: ['slow'] },
      '/around': { connectionMiddleware: ['around'] },
      '/one': { connectionMiddleware: ['user'], userLimits: { connections: 1 } },
      '/once': { connectionMiddleware: ['user'] },
      '/ordered': { ordered: true },
    },
  };`,
  'app/io/middleware/slow.js': `module.exports = app => async (ctx, next) => {
    app.io.emit('connecting');
    await app.abortOf(ctx.signal);
  };`,
  'app/io/middleware/around.js': `module.exports = app => async (ctx, next) => {
    app.log('before', ctx.signal.aborted, ctx.signal === ctx.signal);
    await next();
    app.log('after', ctx.signal.aborted, ctx.signal.reason.code);
  };`,
  'app/io/middleware/user.js': `module.exports = () => async (ctx, next) => { ctx.socket.user = 7; await next(); };`,
  'app/extend/application.js': `
    const { once } = require('node:events');
    module.exports = {
      log(...values) { this.coreLogger.warn('noted ' + JSON.stringify(values)); },
      async abortOf(signal) {
        if (!signal.aborted) await once(signal, 'abort');
        this.log('aborted', signal.reason.name, signal.reason.message.split(' (')[0]);
        throw signal.reason;
      },
    };`,
  'app/router.js': `
    const { setTimeout: sleep } = require('node:timers/promises');
    module.exports = app => {
      const wait = async ctx => { ctx.socket.emit('waiting'); await app.abortOf(ctx.signal); };
      app.io.route('wait', wait);
      app.io.of('/one').route('wait', wait);
      app.io.route('library', async ctx => { ctx.socket.emit('waiting'); await sleep(60000, undefined, { signal: ctx.signal }); });
      let last;
      app.io.route('keep', async ctx => {
        const isNew = ctx.signal !== last;
        last = ctx.signal;
        return [isNew, ctx.signal.aborted, ctx.signal === last, ctx.signal instanceof AbortSignal];
      });
      app.io.route('later', async ctx => {
        const { signal } = ctx;
        ctx.socket.data.noted = true;
        ctx.socket.on('disconnect', () => setImmediate(() => app.log('later', signal.aborted)));
        return true;
      });
      app.io.route('untouched', async ctx => {
        ctx.socket.on('disconnect', () => setImmediate(() => app.log('untouched', ctx.signal.aborted)));
        return true;
      });
      app.io.of('/').route('silent', async () => true);
      app.io.route('own', async ctx => { ctx.signal = 'green'; return ctx.signal; });
      app.io.route('disconnect', async ctx => { if (ctx.socket.data.noted) app.log('disconnect', ctx.signal.aborted); });
      app.io.of('/once').route('pay', async ctx => {
        const { signal } = ctx;
        ctx.socket.emit('waiting');
        await new Promise(resolve => ctx.socket.once('disconnect', resolve));
        app.log('pay', signal.aborted);
      }, { idempotencyKey: ctx => ctx.args[0] });
      app.io.of('/ordered').route('first', async ctx => {
        ctx.socket.emit('waiting');
        await new Promise(resolve => ctx.socket.once('disconnect', resolve));
      });
      app.io.of('/ordered').route('second', async ctx => { app.log('second', ctx.signal.aborted, ctx.signal.reason?.code); });
    };`,
};

const GONE = '["aborted","ClientGoneError","[egg-socket.io] IO_CLIENT_GONE: the client has disconnected"]';

test('ctx.signal', async t => {
  watchForCrashes(t);
  const { url, io, logs, logged } = await startApp(t, FILES);
  const note = async (text: string): Promise<unknown> => logged(new RegExp(`noted ${text.replaceAll(/[[\].]/g, String.raw`\$&`)}`));
  const clear = (): void => void (logs as string[]).splice(0); // each part looks at its own lines

  for (const version of [2, 4] satisfies ClientVersion[]) {
    await t.test(`aborts when the client goes while its packet is handled, protocol ${version === 2 ? 3 : 4}`, async () => {
      for (const transport of ['polling', 'websocket']) {
        clear();
        const client = await connect(t, url, { transports: [transport] }, version);
        const waiting = next(client, 'waiting');
        client.emit('wait');
        await waiting;
        client.disconnect();
        await note(GONE);
        await logged(/^WARN .*event "wait" failed.*IO_CLIENT_GONE/);
        await nothingRemains(io);
        assert.deepEqual(
          logs.filter(line => line.startsWith('ERROR')),
          [],
        );
      }
    });
  }

  await t.test('an error by which a library reports the abort is a warning as well', async () => {
    clear();
    const client = await connect(t, url);
    const waiting = next(client, 'waiting');
    client.emit('library');
    await waiting;
    client.disconnect();
    await logged(/^WARN .*event "library" failed.*AbortError/);
    await nothingRemains(io);
  });

  await t.test('aborts when a client goes whose connection middleware runs, and when it asks anew', async () => {
    clear();
    const observer = await connect(t, url);
    let connecting = next(observer, 'connecting');
    const raw = await RawClient.open(t, url);
    raw.send('40/slow,');
    await connecting;
    connecting = next(observer, 'connecting');
    raw.send('40/slow,'); // takes the place of the first one
    await note(GONE);
    await connecting;
    clear();
    raw.vanish();
    await note(GONE);
    observer.disconnect();
    await nothingRemains(io);
  });

  await t.test('of a connection is the same all along, and has aborted after next()', async () => {
    clear();
    const client = await connect(t, `${url}/around`);
    await note('["before",false,true]');
    client.disconnect();
    await note('["after",true,"IO_CLIENT_GONE"]');
    await nothingRemains(io);
  });

  await t.test('aborts when the server ends a connection for a newer one of its user', async () => {
    clear();
    const older = await connect(t, `${url}/one`);
    const waiting = next(older, 'waiting');
    older.emit('wait');
    await waiting;
    const newer = await connect(t, `${url}/one`);
    await note(GONE);
    newer.disconnect();
    await nothingRemains(io);
  });

  await t.test('is each packet’s own, can be replaced, and does not abort after its packet', async () => {
    clear();
    const client = await connect(t, url);
    assert.deepEqual(await ask(client, 'keep'), [true, false, true, true]);
    assert.deepEqual(await ask(client, 'keep'), [true, false, true, true]);
    assert.equal(await ask(client, 'own'), 'green');
    await ask(client, 'later');
    await ask(client, 'untouched');
    client.disconnect();
    await Promise.all([note('["later",false]'), note('["untouched",false]'), note('["disconnect",false]')]);
    await nothingRemains(io);
  });

  await t.test('costs nothing without access', async () => {
    const { AbortController: Original } = globalThis;
    let created = 0;
    globalThis.AbortController = class extends Original {
      constructor() {
        super();
        created++;
      }
    };
    try {
      const client = await connect(t, url);
      await ask(client, 'silent');
      assert.equal(created, 0);
      await ask(client, 'keep');
      assert.equal(created, 1);
      client.disconnect();
      await nothingRemains(io);
    } finally {
      globalThis.AbortController = Original;
    }
  });

  await t.test('does not abort for an event with a key, whose client comes back for the answer', async () => {
    clear();
    const client = await connect(t, `${url}/once`);
    const waiting = next(client, 'waiting');
    client.emit('pay', 'key');
    await waiting;
    client.disconnect();
    await note('["pay",false]');
    await nothingRemains(io);
  });

  await t.test('has aborted from the start where the client has gone before its turn in an ordered namespace', async () => {
    clear();
    const client = newClient(t, `${url}/ordered`);
    const waiting = next(client, 'waiting');
    client.emit('first').emit('second');
    await waiting;
    client.disconnect();
    await note('["second",true,"IO_CLIENT_GONE"]');
    await nothingRemains(io);
  });
});

test('ctx.signal aborts when the client has come back while its old connection is still there', async t => {
  watchForCrashes(t);
  const config = 'exports.io = { init: { connectionStateRecovery: {} } };';
  const { url, io, logged } = await startApp(t, { ...FILES, 'config/config.default.js': config });
  const old = await RawClient.open(t, url);
  old.send('40');
  const { pid } = JSON.parse((await old.frame(/^40/)).slice(2)) as { pid: string };
  old.send('42["wait"]');
  await old.frame(/^42\["waiting"/);
  const back = await RawClient.open(t, url);
  back.send(`40${JSON.stringify({ pid, offset: '' })}`);
  assert.ok((await back.frame(/^40/)).includes(pid), 'recovered');
  await logged(/noted \["aborted","ClientGoneError"/);
  for (const client of [old, back]) client.vanish();
  await nothingRemains(io);
});
