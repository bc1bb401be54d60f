/** What clients name, and what is kept for a name: namespaces, rooms, events. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { type Files, type RunningApp, startApp } from './support/app';
import { ask, connect, newClient, next, refusal } from './support/client';
import { openPolling, RawClient } from './support/raw';
import { internals, nothingRemains, watchForCrashes } from './support/remains';
import { until } from './support/until';

const FILES: Files = {
  'app/router.js': `
    module.exports = app => {
      app.io.of('/room-{id}');
      app.io.of((name, auth, answer) => name.startsWith('/held') ? app.emit('asked', answer) : answer(null, name.startsWith('/asked')));
      app.io.of('/named-' + 'x'.repeat(300)).route('echo', async ctx => ctx.args[0]);
    };`,
};

async function start(t: TestContext, files: Files = {}): Promise<RunningApp & { counts: Record<string, number> }> {
  watchForCrashes(t);
  const running = await startApp(t, { ...FILES, ...files });
  return { ...running, counts: internals(running.io).runtime.limits.counts };
}

/** The namespaces that clients have made. */
function made({ io }: RunningApp): string[] {
  return [...io._nsps.keys()].filter(name => /^\/(room|asked|held)/.test(name));
}

test('a client may have 100 namespaces', async t => {
  const running = await start(t);
  const { io, url, counts, logged } = running;
  assert.equal(counts['namespaces'], 0);

  for (const protocol of [3, 4] as const) {
    await t.test(`protocol ${protocol}: one too many is refused, and one that it leaves makes room`, async t => {
      const before = counts['namespaces'] ?? 0;
      const client = await RawClient.open(t, url, { protocol });
      if (protocol === 4) client.send('40');
      for (let count = 1; count < 100; count++) client.send(`40/room-${count},`);
      await client.frame(/^40\/room-99,?/);
      client.send('40/asked-too-many,');
      const answer =
        protocol === 3
          ? '44/asked-too-many,"Too many namespaces"'
          : '44/asked-too-many,{"message":"Too many namespaces","data":{"code":"TOO_MANY_NAMESPACES"}}';
      assert.equal(await client.frame(/^44/), answer);
      client.frames.length = 0;
      client.send('40/room-100,');
      await client.frame(/^44\/room-100,/);
      client.send('41/room-1,', '40/room-100,');
      await client.frame(/^40\/room-100,?/);
      assert.equal(counts['namespaces'], before + 2);
      client.vanish();
      await nothingRemains(io);
    });
  }

  await t.test('the log has one line', async () => {
    await logged(
      /^WARN .*IO_LIMIT_REACHED: a client asks for too many namespaces.* \(config\.io\.limits\.namespaces\): that one is refused/,
    );
  });

  await t.test('those count that its parents are asked for, and that are in one request', async t => {
    const answers: ((error: unknown, isAllowed: boolean) => void)[] = [];
    running.app.on('asked', answer => answers.push(answer as (typeof answers)[number]));
    const address = await openPolling(url);
    const packets = Array.from({ length: 1000 }, (_, index) => `40/held-${index},`);
    await fetch(address, { method: 'POST', body: packets.join('\u001E') });
    await until(t, () => answers.length === 100);
    await fetch(address, { method: 'POST', body: '40/held-again,' });
    for (const answer of answers) answer(null, true);
    await until(t, () => io.of('/held-99').sockets.size === 1);
    assert.equal(answers.length, 100);
    assert.equal(made(running).filter(name => name.startsWith('/held')).length, 100);
    await fetch(address, { method: 'POST', body: '1' });
    await nothingRemains(io);
  });

  await t.test('another client is not concerned', async t => {
    await connect(t, `${url}/asked-other`);
  });
});

test('a namespace that is made on demand has a name of 200 characters at most', async t => {
  const running = await start(t);
  const { url, counts } = running;
  for (const [prefix, length, isAllowed] of [
    ['/room-', 200, true],
    ['/asked-', 200, true],
    ['/room-', 201, false],
    ['/asked-', 201, false],
    ['/nobody-', 1000, false],
  ] as const) {
    const name = prefix.padEnd(length, 'x');
    const client = newClient(t, url + name);
    if (isAllowed) await next(client, 'connect');
    else {
      const { message, data } = await refusal(client);
      assert.deepEqual([message, data], ['The name of the namespace is too long', { code: 'NAMESPACE_TOO_LONG' }]);
      assert.ok(!made(running).includes(name));
    }
  }
  assert.equal(counts['namespaces'], 3);
  assert.equal(await ask(await connect(t, `${url}/named-${'x'.repeat(300)}`), 'echo', 1), 1, 'one that the app has named while it started');
});

test('the limits of namespaces can be other ones, or off', async t => {
  for (const [config, isLimited] of [
    ['{ max: 2, nameLength: 10 }', true],
    ['false', false],
  ] as const) {
    await t.test(config, async t => {
      const { url, io } = await start(t, { 'config/config.default.js': `exports.io = { limits: { namespaces: ${config} } };` });
      const client = await RawClient.open(t, url);
      const long = '/room-'.padEnd(600, 'x');
      client.send(`40${long},`);
      await client.frame(isLimited ? /^44\/room-x+,/ : /^40\/room-x+,/);
      for (let count = 1; count <= 150; count++) client.send(`40/room-${count},`);
      await client.frame(isLimited ? /^44\/room-150,/ : /^40\/room-150,/);
      assert.equal([...io._nsps.values()].filter(({ sockets }) => sockets.size > 0).length, isLimited ? 2 : 151);
    });
  }
});
