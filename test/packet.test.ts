import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startApp } from './support/app';
import { ask, connect } from './support/client';

test('the value that a controller returns is the acknowledgement', async t => {
  const { url } = await startApp(t, {
    'app/io/controller/chat.js': `
      module.exports = app => class extends app.Controller {
        async ping() { return { pong: this.ctx.args[0] }; }
      };`,
    'app/router.js': `module.exports = app => { app.io.route('ping', app.io.controller.chat.ping); };`,
  });
  const client = await connect(t, url);
  assert.deepEqual(await ask(client, 'ping', 1), { pong: 1 });
});
