/** What is heard of a message that is larger than `maxHttpBufferSize`. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startApp } from './support/app';
import { connect, next } from './support/client';
import { watchForCrashes } from './support/remains';

for (const version of [2, 4] as const) {
  for (const transport of ['polling', 'websocket']) {
    test(`client ${version} over ${transport}: the log and the event disconnect say that a message was too large`, async t => {
      watchForCrashes(t);
      const app = await startApp(t, {
        'config/config.default.js': `
          exports.io = { init: { maxHttpBufferSize: 10000 }, namespace: { '/': { connectionMiddleware: ['around'] } } };`,
        'app/io/middleware/around.js': `module.exports = app => async (ctx, next) => { app.emit('left', await next()); };`,
        'app/router.js': `
          module.exports = app => {
            app.io.route('disconnect', async ctx => app.emit('disconnected', ...ctx.args));
            app.io.route('say', async ctx => ctx.args[0].length);
          };`,
      });
      const bystander = await connect(t, app.url);
      for (let n = 0; n < 3; n++) {
        const client = await connect(t, app.url, { transports: [transport] }, version);
        const [disconnected, left, heard] = [next(app.app, 'disconnected'), next(app.app, 'left'), next(client, 'disconnect')];
        client.emit('say', 'x'.repeat(10_001));
        const [reason, error] = await disconnected;
        assert.equal(reason, 'transport error');
        assert.deepEqual(await left, [reason]);
        assert.ok(error instanceof Error);
        assert.equal(error.message, 'a message was larger than config.io.init.maxHttpBufferSize, 10000 bytes');
        assert.match(String((await heard)[0]), /^transport (error|close)$/);
      }
      const lines = (): string[] => app.logs.filter(line => line.includes('IO_MESSAGE_TOO_LARGE'));
      assert.equal(lines().length, 1);
      assert.match(lines()[0] ?? '', /^WARN .*maxHttpBufferSize, 10000 bytes, and its client was disconnected \(egg/);
      assert.equal(await bystander.emitWithAck('say', 'as large as the limit allows'.repeat(300)), 8400);
      await app.close();
      assert.match(lines()[1] ?? '', /2 times more in the last minute/);
    });
  }
}
