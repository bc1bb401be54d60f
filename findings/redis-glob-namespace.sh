#!/usr/bin/env bash
# socket.io 4.8.4 and @socket.io/redis-adapter 8.3.0 on Redis 7.0, Node 20; 2026-11-29.
#
# With the Redis adapter, a namespace whose name has a bracket or a backslash gets no broadcasts of other servers. The adapter subscribes with
# PSUBSCRIBE to the name itself, and Redis reads it as a glob: `[a]` stands for the letter a. Questions go over channels without a pattern, so
# `fetchSockets()` finds the clients that the broadcasts do not reach, and nothing says so.
#
# Seen:
#   /room-7: a client of the other server is found, the event arrives
#   /room-[7]: a client of the other server is found, the event does not arrive
#
# The clients here take the name from `Manager.socket()`: socket.io-client cannot read a URL with brackets in its path.
#
# This affects apps with namespaces that clients name, such as those of a regular expression: a user picks a name like "[team] plans". The plugin
# escapes names before it subscribes (src/backplane/redis).
set -euo pipefail
command -v redis-server >/dev/null || { apt-get update -qq && apt-get install -y -qq redis-server >/dev/null; } || exit 2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund socket.io@4.8.4 socket.io-client@4.8.3 @socket.io/redis-adapter@8.3.0 ioredis@5.11.1 || exit 2

cat >run.mjs <<'JS'
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { createAdapter } from '@socket.io/redis-adapter';
import { Redis } from 'ioredis';
import { Server } from 'socket.io';
import { Manager } from 'socket.io-client';

const free = createServer();
await once(free.listen(0, '127.0.0.1'), 'listening');
const { port } = free.address();
await once(free.close(), 'close');
const redis = spawn('redis-server', ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--dir', process.cwd()], { stdio: 'ignore' });
process.once('exit', () => redis.kill());

const startServer = async () => {
  const [pub, sub] = [new Redis({ port }), new Redis({ port })];
  for (const client of [pub, sub]) client.on('error', () => {});
  await Promise.all([pub.ping(), sub.ping()]);
  const server = new Server({ adapter: createAdapter(pub, sub) });
  server.of(/^\/room-/);
  await once(server.listen(0).httpServer, 'listening');
  return server;
};
const [one, other] = await Promise.all([startServer(), startServer()]);

const seen = [];
for (const name of ['/room-7', '/room-[7]']) {
  const [here, there] = [one, other].map(server => new Manager(`http://127.0.0.1:${server.httpServer.address().port}`).socket(name));
  await Promise.all([here, there].map(socket => once(socket.connect(), 'connect')));
  const arrived = once(there, 'news').then(() => true);
  const until = Date.now() + 3000; // subscriptions are made meanwhile
  let hasArrived = false;
  while (!hasArrived && Date.now() < until) {
    one.of(name).emit('news');
    hasArrived = await Promise.race([arrived, wait(100).then(() => false)]);
  }
  const isFound = (await one.of(name).fetchSockets()).length === 2;
  console.log(`${name}: a client of the other server is ${isFound ? '' : 'not '}found, the event ${hasArrived ? 'arrives' : 'does not arrive'}`);
  seen.push(isFound, hasArrived);
}
process.exit(String(seen) === 'true,true,true,false' ? 0 : 1);
JS
timeout 50 node run.mjs
