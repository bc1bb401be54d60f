#!/usr/bin/env bash
# ioredis 5.11.1, Node 20; 2026-11-28. The server is a TCP server that accepts connections and never answers, like a Redis that hangs.
#
# `enableOfflineQueue: false` does not keep PUBLISH and SPUBLISH from waiting. ioredis rejects other commands at once while a connection is not
# ready. These two it writes to the connection before Redis has answered its first question (status 'connect'), since Redis takes them while it
# loads its data. What is published then stays in memory, and arrives late if the server answers after all.
#
# Seen (XADD is rejected, the other two are written):
#   publish: written, waiting
#   spublish: written, waiting
#   xadd: rejected, Stream isn't writeable and enableOfflineQueue options is false
#
# This affects apps that publish events during an outage, and turn the queue off so that they fail: a burst of 5,000 messages of 10 kB took
# 57 MB, and messages that were taken for lost arrived later. The plugin rejects them itself until Redis is ready (src/backplane/redis/client.ts).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund ioredis@5.11.1 || exit 2

cat >run.mjs <<'JS'
import { once } from 'node:events';
import { createServer } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { Redis } from 'ioredis';

let received = '';
const server = createServer(connection => connection.on('data', bytes => (received += bytes)).on('error', () => {}));
await once(server.listen(0, '127.0.0.1'), 'listening');
const redis = new Redis({ port: server.address().port, enableOfflineQueue: false, maxRetriesPerRequest: 0, retryStrategy: () => null });
redis.on('error', () => {});
await once(redis, 'connect');

const seen = [];
for (const [name, ...args] of [['publish', 'news', 'hello'], ['spublish', 'news', 'hello'], ['xadd', 'news', '*', 'text', 'hello']]) {
  received = '';
  const outcome = await Promise.race([
    redis[name](...args).catch(({ message }) => `rejected, ${message}`),
    wait(300).then(() => `${new RegExp(`\n${name}\r`, 'i').test(received) ? 'written, ' : ''}waiting`),
  ]);
  seen.push(outcome.split(',')[0]);
  console.log(`${name}: ${outcome}`);
}
process.exit(String(seen) === 'written,written,rejected' ? 0 : 1);
JS
timeout 50 node run.mjs
