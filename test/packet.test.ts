/** One event of a client, and its acknowledgement. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startApp } from './support/app';
import { ask, type ClientVersion, connect, next } from './support/client';
import { openPolling } from './support/raw';
import { internals, watchForCrashes } from './support/remains';

test('the value that a controller returns is the acknowledgement', async t => {
  const { url } = await startApp(t, {
    'app/io/controller/chat.js': `
      module.exports = app => class extends app.Controller {
        async hello() { return { pong: this.ctx.args[0] }; }
      };`,
    'app/router.js': `module.exports = app => { app.io.route('hello', app.io.controller.chat.hello); };`,
  });
  for (const version of [2, 3, 4] satisfies ClientVersion[]) {
    const client = await connect(t, url, {}, version);
    assert.deepEqual(await ask(client, 'hello', version), { pong: version });
  }
});

test('every value but undefined is an acknowledgement', async t => {
  const { url } = await startApp(t, {
    'app/router.js': `
      module.exports = app => {
        const values = { null: null, false: false, zero: 0, empty: '', list: [], binary: Buffer.from('abc') };
        app.io.route('get', async ctx => values[ctx.args[0]]);
      };`,
  });
  const client = await connect(t, url);
  for (const [name, value] of [
    ['null', null],
    ['false', false],
    ['zero', 0],
    ['empty', ''],
    ['list', []],
    ['binary', Buffer.from('abc')],
  ] as const)
    assert.deepEqual(await ask(client, 'get', name), value, name);
});

test('a handler that returns undefined may call the acknowledgement itself, now or later', async t => {
  const { url, app } = await startApp(t, {
    'app/router.js': `
      module.exports = app => {
        app.io.route('now', async ctx => { ctx.args.at(-1)('now', ctx.args.length); });
        app.io.route('ctx', async ctx => { ctx.ack('by ctx.ack', ctx.ack === ctx.args.at(-1)); });
        app.io.route('later', async ctx => { app.once('go', () => ctx.ack('later')); app.emit('waiting'); });
        app.io.route('never', async () => {});
        app.io.route('hello', async () => 'pong');
      };`,
  });
  const client = await connect(t, url);
  const askAll = async (event: string, ...args: unknown[]): Promise<unknown[]> =>
    new Promise(resolve => client.emit(event, ...args, (...answers: unknown[]) => resolve(answers)));
  assert.deepEqual(await askAll('now', 1, 2), ['now', 3]);
  assert.deepEqual(await askAll('ctx'), ['by ctx.ack', true]);
  let answered = false;
  client.emit('never', () => (answered = true));
  const waiting = next(app, 'waiting');
  const later = askAll('later');
  await waiting;
  assert.equal(await ask(client, 'hello'), 'pong');
  app.emit('go');
  assert.deepEqual(await later, ['later']);
  assert.equal(answered, false);
});

test('the first answer wins, and later ones are ignored', async t => {
  const { url, logs } = await startApp(t, {
    'app/router.js': `
      module.exports = app => {
        app.io.route('both', async ctx => { ctx.ack('first'); ctx.ack('second'); return 'third'; });
        app.io.route('throw', async ctx => { ctx.ack('first'); throw new Error('second'); });
        app.io.route('hello', async () => 'pong');
      };`,
  });
  const client = await connect(t, url);
  const answers: unknown[] = [];
  const errors: unknown[] = [];
  client.on('error', error => errors.push(error));
  client.emit('both', (answer: unknown) => answers.push(answer));
  client.emit('throw', (answer: unknown) => answers.push(answer));
  assert.equal(await ask(client, 'hello'), 'pong');
  assert.deepEqual(answers, ['first', 'first']);
  assert.deepEqual(errors, []);
  assert.equal(logs.filter(line => line.includes('event "throw" failed')).length, 1);
});

test('nothing is sent for the result of an event without an acknowledgement, and ctx.ack is undefined there', async t => {
  const { url } = await startApp(t, {
    'app/router.js': `
      module.exports = app => {
        app.io.route('tell', async ctx => { ctx.emit('told', ctx.ack === undefined, ctx.args); return 'nobody asked'; });
        app.io.route('hello', async () => 'pong');
      };`,
  });
  const client = await connect(t, url);
  const heard: unknown[][] = [];
  client.onAny((...event: unknown[]) => heard.push(event));
  client.emit('tell', 1);
  assert.equal(await ask(client, 'hello'), 'pong');
  assert.deepEqual(heard, [['told', true, [1]]]);
});

test('a controller that throws answers the acknowledgement with the error, and sends no error event', async t => {
  const { url } = await startApp(t, {
    'app/router.js': `
      const { IoError } = require('egg-socket.io');
      module.exports = app => {
        app.io.route('fail', async () => { throw new IoError('ROOM_FULL', 'the room is full', { status: 409, details: { seats: 2 } }); });
        app.io.route('hello', async () => 'pong');
      };`,
  });
  for (const version of [2, 3, 4] satisfies ClientVersion[]) {
    const client = await connect(t, url, {}, version);
    let heard = 0;
    client.on('error', () => heard++);
    assert.deepEqual(await ask(client, 'fail'), { error: { code: 'ROOM_FULL', message: 'the room is full', details: { seats: 2 } } });
    assert.equal(await ask(client, 'hello'), 'pong');
    assert.equal(heard, 0);
  }
});

test('a middleware that throws answers the acknowledgement as well', async t => {
  const { url } = await startApp(t, {
    'config/config.default.js': `exports.io = { namespace: { '/': { packetMiddleware: ['guard'] } } };`,
    'app/io/middleware/guard.js': `
      module.exports = () => async (ctx, next) => {
        if (ctx.packet[0] === 'before') ctx.throw(403, 'not you');
        await next();
        if (ctx.packet[0] === 'after') ctx.throw(403, 'not you either');
      };`,
    'app/router.js': `module.exports = app => { app.io.route('after', async () => 'a result'); };`,
  });
  const client = await connect(t, url);
  assert.deepEqual(await ask(client, 'before'), { error: { code: 'FORBIDDEN', message: 'not you' } });
  assert.deepEqual(await ask(client, 'after'), { error: { code: 'FORBIDDEN', message: 'not you either' } });
});

test('a middleware may catch the error of a controller and answer in its place', async t => {
  const { url, logs } = await startApp(t, {
    'config/config.default.js': `exports.io = { namespace: { '/': { packetMiddleware: ['rescue'] } } };`,
    'app/io/middleware/rescue.js': `
      module.exports = () => async (ctx, next) => {
        try { await next(); } catch (error) { ctx.ack('rescued from ' + error.message); }
      };`,
    'app/router.js': `module.exports = app => { app.io.route('fail', async () => { throw new Error('a mishap'); }); };`,
  });
  assert.equal(await ask(await connect(t, url), 'fail'), 'rescued from a mishap');
  assert.deepEqual(
    logs.filter(line => line.includes('mishap')),
    [],
  );
});

test('a result that cannot be sent is an error like any other', async t => {
  const { url, logged } = await startApp(t, {
    'app/router.js': `
      module.exports = app => {
        app.io.route('circle', async () => { const circle = {}; circle.circle = circle; return circle; });
        app.io.route('bigint', async () => 1n);
        app.io.route('details', async () => {
          const details = {}; details.details = details;
          throw Object.assign(new Error('with details'), { status: 400, details });
        });
        app.io.route('hello', async () => 'pong');
      };`,
  });
  const client = await connect(t, url);
  for (const event of ['circle', 'bigint']) {
    assert.match(JSON.stringify(await ask(client, event)), /^{"error":{"code":"INTERNAL_SERVER_ERROR"/);
    await logged(new RegExp(`^ERROR .*event "${event}" failed`));
  }
  assert.deepEqual(await ask(client, 'details'), { error: { code: 'BAD_REQUEST', message: 'with details' } });
});

test('concurrent events of one client are answered each with their own result', async t => {
  const { url } = await startApp(t, {
    'app/router.js': `
      module.exports = app => {
        const waiting = [];
        // the last one to come sets all free, in reverse order
        app.io.route('wait', async ctx => {
          const [n] = ctx.args;
          await new Promise(resolve => { waiting.unshift(resolve); if (waiting.length === 20) for (const free of waiting) free(); });
          return [n, ctx.args[0]];
        });
      };`,
  });
  const client = await connect(t, url);
  const numbers = Array.from({ length: 20 }, (_, n) => n);
  assert.deepEqual(
    await Promise.all(numbers.map(n => ask(client, 'wait', n))),
    numbers.map(n => [n, n]),
  );
});

test('binary arguments and answers arrive whole, whatever the client', async t => {
  const { url } = await startApp(t, {
    'app/router.js': `
      module.exports = app => {
        app.io.route('echo', async ctx => ({ isBuffer: Buffer.isBuffer(ctx.args[0].data), data: ctx.args[0].data }));
      };`,
  });
  for (const version of [2, 3, 4] satisfies ClientVersion[]) {
    const client = await connect(t, url, {}, version);
    const data = Buffer.from([0, 1, 2, 255]);
    assert.deepEqual(await ask(client, 'echo', { data }), { isBuffer: true, data });
  }
});

test('what the app gives to socket.use() runs between packet middleware and controller, and may refuse or drop the packet', async t => {
  const { url, io, logs } = await startApp(t, {
    'app/io/middleware/outer.js': `
      module.exports = () => async (ctx, next) => { ctx.app.io.emit('step', 'outer'); await next(); };`,
    'app/io/controller/chat.js': `
      exports.say = async ctx => { ctx.app.io.emit('step', 'controller'); return 'said'; };`,
    'app/router.js': `
      module.exports = app => {
        app.io.route('say', app.io.controller.chat.say);
        app.io.on('connection', socket => {
          socket.use(([event, word], next) => {
            socket.emit('step', 'use');
            if (word === 'bad') next(new Error('bad word'));
            else if (word !== 'lost') next();
          });
          socket.on('heard', ack => ack('heard'));
        });
      };`,
    'config/config.default.js': `exports.io = { namespace: { '/': { packetMiddleware: ['outer'] } } };`,
  });
  const client = await connect(t, url);
  const steps: unknown[] = [];
  client.on('step', (step: unknown) => steps.push(step));
  assert.equal(await ask(client, 'say', 'good'), 'said');
  assert.deepEqual(steps, ['outer', 'use', 'controller']);
  assert.equal(await ask(client, 'heard'), 'heard');
  assert.deepEqual(await ask(client, 'say', 'bad'), { error: { code: 'INTERNAL_SERVER_ERROR', message: 'bad word' } });
  assert.equal(logs.filter(line => line.includes('bad word')).length, 1);
  steps.length = 0;
  client.emit('say', 'lost', () => steps.push('answered'));
  await ask(client, 'heard');
  assert.deepEqual(steps, ['outer', 'use', 'outer', 'use']);
  await internals(io).runtime.inFlight.idle(); // nobody waits for the packet that was dropped
});

test('a function of socket.use() that throws, now or later, answers with the error, which is logged once', async t => {
  watchForCrashes(t);
  const { url, io, logs } = await startApp(t, {
    'app/router.js': `
      module.exports = app => {
        app.io.route('say', async () => 'said');
        app.io.on('connection', socket => {
          socket.use(([, word], next) => {
            if (word === 'now') throw new Error('failed now');
            next();
          });
          socket.use(async ([, word], next) => {
            await new Promise(resolve => setImmediate(resolve));
            if (word === 'later') throw new Error('failed later');
            next();
            if (word === 'too late') throw new Error('failed too late');
          });
        });
      };`,
  });
  const client = await connect(t, url);
  for (const word of ['now', 'later']) {
    assert.deepEqual(await ask(client, 'say', word), { error: { code: 'INTERNAL_SERVER_ERROR', message: `failed ${word}` } });
    assert.equal(logs.filter(line => line.includes(`failed ${word}`)).length, 1);
  }
  assert.equal(await ask(client, 'say', 'too late'), 'said');
  assert.equal(await ask(client, 'say', 'well'), 'said');
  await internals(io).runtime.inFlight.idle();
});

test('an event in the same payload as one whose handler disconnects is not handled', async t => {
  const { app, url } = await startApp(t, {
    'app/router.js': `
      module.exports = app => {
        app.io.route('leave', async ctx => { ctx.disconnect(); });
        app.io.route('say', async () => app.emit('said'));
      };`,
  });
  let said = 0;
  app.on('said', () => said++);
  const address = await openPolling(url);
  const post = async (...packets: string[]): Promise<unknown> =>
    (await fetch(address, { method: 'POST', body: packets.join('\x1e') })).text();
  await post('40');
  await post('42["say"]', '42["leave"]', '42["say"]');
  assert.equal(said, 1);
});
