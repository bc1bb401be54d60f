/** Control events, those that begin with `$io:`: they never reach the app. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bootError, type Files, startApp } from './support/app';
import { ask, connect, next } from './support/client';

const RESERVED = { error: { code: 'RESERVED_EVENT', message: "Events that begin with '$io:' are reserved" } };

const FILES: Files = {
  'config/config.default.js': `exports.io = { namespace: { '/': { packetMiddleware: ['note'] } } };`,
  'app/io/middleware/note.js': `module.exports = app => async (ctx, next) => { app.heard.push(['middleware', ctx.packet[0]]); await next(); };`,
  'app/router.js': `
    module.exports = app => {
      app.heard = [];
      app.io.route('heard', async () => app.heard.splice(0)).routeUnmatched(async ctx => { app.heard.push(['unmatched', ctx.packet[0]]); });
      app.io.on('connection', socket => {
        socket.onAny(event => { app.heard.push(['onAny', event]); });
        socket.use((packet, next) => { app.heard.push(['use', packet[0]]); next(); });
        socket.on('$io:made up', () => app.heard.push(['listener']));
      });
    };`,
};

for (const version of [2, 4] as const)
  test(`a control event that the plugin does not know is answered, and reaches nothing of the app: client ${version}`, async t => {
    const { url } = await startApp(t, FILES);
    const client = await connect(t, url, {}, version);
    await ask(client, 'heard');
    assert.deepEqual(await ask(client, '$io:made up', 1), RESERVED);
    const error = next(client, 'error');
    client.emit('$io:', 1);
    assert.deepEqual(await error, [RESERVED.error.message, { code: 'RESERVED_EVENT', event: '$io:' }]);
    assert.deepEqual(await ask(client, 'heard'), [
      ['onAny', 'heard'],
      ['middleware', 'heard'],
      ['use', 'heard'],
    ]);
  });

test('an app cannot have a route or a contract for a control event', async t => {
  const route = await bootError(t, { 'app/router.js': "module.exports = app => app.io.route('$io:send', async () => 1);" });
  assert.match(route.message, /IO_ROUTE_INVALID: route\('\$io:send'\) of namespace '\/': events that begin with '\$io:' are reserved/);
  const contract = await bootError(t, {
    'app/router.js': "module.exports = app => app.io.of({ namespace: '/chat', server: { '$io:history': {} } });",
  });
  assert.match(contract.message, /IO_CONTRACT_INVALID: the contract of namespace '\/chat': server\['\$io:history'\]/);
});
