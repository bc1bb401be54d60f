/** What the process keeps of handshakes after their connections have gone. */
import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { test, type TestContext } from 'node:test';
import type { Server as EngineServer } from 'engine.io';
import { trimHandshakes } from '../support/parts';

const COMMON = '/socket.io/?EIO=4&transport=websocket';

/** The keys of all tables that get one while connections with these requests begin. */
function keptOf(t: TestContext, requests: readonly unknown[]): unknown[] {
  const engine = new EventEmitter();
  trimHandshakes(engine as EngineServer, '/socket.io'); // only its event is needed
  const { mock } = t.mock.method(Map.prototype, 'set');
  for (const request of requests) engine.emit('connection', { request, transport: {} });
  mock.restore();
  return mock.calls.map(call => call.arguments[0]);
}

function requestOf(url: string, headers: Record<string, string>): IncomingMessage {
  const names = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]);
  return Object.assign(new IncomingMessage(new Socket()), {
    url,
    headers: Object.fromEntries(names) as Record<string, string>,
    rawHeaders: Object.entries(headers).flat(),
  });
}

test('only values of headers that many clients have in common are kept: no other value, no name and no URL', t => {
  const common = { 'User-Agent': 'a browser', 'accept-language': 'en', Host: 'chat.example' };
  const own = { Cookie: 'secret=1', Authorization: 'secret', 'X-Secret': 'secret', 'secret-name': '' };
  const urls = [
    COMMON,
    COMMON.replace('4', '3'),
    '/socket.io/?token=secret?EIO=4&transport=websocket',
    '/socket.io/secret?EIO=4&transport=websocket',
    '/secret/socket.io/?EIO=4&transport=websocket',
    `${COMMON}&token=secret`,
    '/socket.io/?EIO=4&transport=secret',
  ];
  const kept = keptOf(
    t,
    urls.map(url => requestOf(url, { ...common, ...own })),
  );
  assert.deepEqual(kept.sort(), Object.values(common).sort());
});

test('a request of another engine, which lacks what those of Node have, stays as it is', t => {
  const requests = [null, Object.freeze({ url: COMMON, headers: Object.freeze({ host: 'chat.example' }) })];
  assert.deepEqual(keptOf(t, requests), []);
});
