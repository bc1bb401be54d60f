/** Egg in a single process, whose code makes the HTTP server: `node server.js`. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Files } from './support/app';
import { ask, connect, newClient, next } from './support/client';
import { startSingle } from './support/single';

const FILES: Files = {
  'app/io/controller/home.js': `
    exports.echo = async ctx => ctx.args[0];
    exports.slow = async ctx => {
      ctx.socket.emit('begun');
      await new Promise(resolve => process.once('SIGTERM', resolve));
      await new Promise(resolve => setTimeout(resolve, 200));
      return ctx.args[0];
    };`,
  'app/router.js': `
    module.exports = app => {
      app.get('/', async ctx => { ctx.body = 'home'; });
      app.io.route('echo', app.io.controller.home.echo);
      app.io.route('slow', app.io.controller.home.slow);
    };`,
};

const LISTENS = {
  'app.listen()': 'app.listen(port, host, listening);',
  'a server of app.callback()': 'http.createServer(app.callback()).listen(port, host, listening);',
  'a server that the app announces as Egg does': `
    const server = app.listen(port, host, listening);
    app.emit('server', server);`,
  'a server that is attached to once more': `
    const server = app.listen(port, host, listening);
    app.io.attach(server);`,
  'a server that has been attached to before it listens': `
    const handle = app.callback();
    const server = http.createServer((request, response) => handle(request, response));
    app.io.attach(server);
    server.listen(port, host, listening);`,
};

for (const [name, listen] of Object.entries(LISTENS)) {
  test(`in a single process, with ${name}: a WebSocket as the very first, then clients of every kind, and HTTP`, async t => {
    const files = { ...FILES, 'config/config.default.js': "exports.io = { bind: ['address'] };" }; // else clients of Socket.IO 2 are a warning
    const { url, log } = await startSingle(t, files, `const app = await egg.start(options); ${listen}`);
    for (const transports of [['websocket'], ['polling'], ['polling', 'websocket']]) {
      for (const version of [4, 3, 2] as const) {
        const client = await connect(t, url, { transports }, version);
        assert.equal(await ask(client, 'echo', transports[0]), transports[0]);
      }
    }
    assert.equal(await (await fetch(url)).text(), 'home');
    assert.doesNotMatch(await log(), / (WARN|ERROR) /);
  });
}

const LATE = {
  'a handler that has been wrapped': `
    const handle = app.callback();
    http.createServer((request, response) => handle(request, response)).listen(port, host, listening);`,
  'a server that listens already': `
    const server = http.createServer().listen(port, host);
    server.on('request', app.callback());
    server.once('listening', listening);`,
};

for (const [name, listen] of Object.entries(LATE)) {
  test(`in a single process, with ${name}: the first request attaches; a client whose WebSocket is that comes back by itself`, async t => {
    for (const first of ['HTTP', 'polling', 'websocket']) {
      const { url } = await startSingle(t, FILES, `const app = await egg.start(options); ${listen}`);
      if (first === 'HTTP') assert.equal(await (await fetch(url)).text(), 'home');
      const client = newClient(t, url, {
        transports: first === 'polling' ? ['polling'] : ['websocket'],
        reconnection: first === 'websocket',
      });
      await next(client, 'connect');
      assert.equal(await ask(client, 'echo', 'hello'), 'hello');
    }
  });
}

test('in a single process, the log says what to call where clients come to a second server', async t => {
  const script = `
    const app = await egg.start(options);
    app.listen(port, host);
    app.listen(otherPort, host, listening);`;
  const { url, otherUrl, log } = await startSingle(t, FILES, script);
  await connect(t, url);
  for (let n = 0; n < 2; n++) assert.equal((await fetch(`${otherUrl}/socket.io/?EIO=4&transport=polling`)).status, 404);
  assert.equal((await fetch(otherUrl)).status, 200);
  const lines = (await log()).match(/ ERROR .*IO_SERVER_UNKNOWN.*/g) ?? [];
  assert.equal(lines.length, 1);
  assert.match(lines[0] ?? '', /a request for \/socket\.io has reached an HTTP server without Socket\.IO; call app\.io\.attach\(server\)/);
});

test('in a single process, close() ends all in good order, and the process by itself', async t => {
  const script = `
    const app = await egg.start(options);
    app.listen(port, host, listening);
    process.once('SIGTERM', async () => {
      await app.close();
      process.exit();
    });`;
  const { url, terminate } = await startSingle(t, FILES, script);
  const client = await connect(t, url, { transports: ['polling'] });
  const [begun, reason] = [next(client, 'begun'), next(client, 'disconnect')];
  const answer = ask(client, 'slow', 'done');
  await begun;
  assert.equal(await terminate(), 0);
  assert.equal(await answer, 'done');
  assert.equal((await reason)[0], 'transport close');
});

for (const [config, warning] of [
  ['', / WARN .*IO_PROCESSES_UNKNOWN: .*transports to \['websocket'\].*; broadcasts stay in the process: set config\.io\.adapter/],
  ["exports.io = { init: { transports: ['websocket'] } };", / WARN .*IO_PROCESSES_UNKNOWN: .*; broadcasts stay in the process/],
  ["exports.io = { init: { transports: ['websocket'], adapter: require('socket.io-adapter').Adapter } };", undefined],
] as const) {
  test(`single processes that share a port are ${warning ? 'warned' : 'not warned'} with ${config || 'no config'}`, async t => {
    const files = { ...FILES, 'config/config.default.js': config };
    const script = 'const app = await egg.start(options); app.listen(port, host, listening);';
    const { url, log } = await startSingle(t, files, script, 2);
    const client = await connect(t, url);
    assert.equal(await ask(client, 'echo', 'hello'), 'hello');
    const warnings = (await log()).match(/.*IO_PROCESSES_UNKNOWN.*/g) ?? [];
    assert.equal(warnings.length, warning ? 2 : 0, 'one a process');
    if (warning) assert.match(warnings[0] ?? '', warning);
  });
}
