/** The log lines of this plugin, beside those that an app writes within a context. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { startApp } from './support/app';

test('no line of this plugin has the query of a handshake, which may have a token', async t => {
  const { baseDir, open, logged } = await startApp(t, {
    'config/config.default.js': `exports.io = { limits: { rooms: { max: 3 } }, namespace: { '/': { packetMiddleware: ['late'] } } };`,
    'app/io/middleware/late.js': `
      module.exports = () => async (ctx, next) => {
        if (ctx.packet[0] !== 'late') return next();
        setImmediate(() => next().catch(() => {}));
      };`,
    'app/router.js': `
      module.exports = app => {
        app.io.route('own', async ctx => { ctx.logger.warn('a line of the app'); return true; });
        app.io.route('old', async ctx => new Promise(resolve => ctx.socket.join('a', () => resolve(true))));
        app.io.route('number', async ctx => { ctx.socket.join(42); return true; });
        app.io.route('rooms', async ctx => { for (const room of 'bcdef') ctx.socket.join(room); });
        app.io.route('body', async ctx => { ctx.body = 'hello'; return true; });
        app.io.route('fails', async () => { throw new Error('a bug'); });
        app.io.route('silent', async () => {});
        app.io.route('late', async () => true);
      };`,
  });
  const { socket } = await open('/', { query: { token: 'secret' } });
  for (const event of ['own', 'old', 'number', 'rooms', 'body', 'fails', 'silent', 'late', 'unmatched']) socket.emit(event, () => {});
  const codes = ['DEPRECATED', 'ROOM_NOT_STRING', 'LIMIT_REACHED', 'RESPONSE_IGNORED', 'ANSWER_MISSING', 'EVENT_UNMATCHED'];
  const patterns = [...codes.map(code => `IO_${code}`), 'a bug', 'called next\\(\\) after it had ended', 'a line of the app'];
  for (const pattern of patterns) await logged(new RegExp(pattern));
  const log = await readFile(join(baseDir, 'logs/test-app-web.log'), 'utf8');
  const written = log.split('\n');
  for (const pattern of patterns) {
    const lines = written.filter(line => new RegExp(pattern).test(line));
    assert.ok(lines.length > 0, `no line has ${pattern}`);
    assert.equal(
      lines.some(line => line.includes('secret')),
      pattern === 'a line of the app', // of ctx.logger
      lines.join('\n'),
    );
  }
});
