#!/usr/bin/env bash
# socket.io 4.8.4 (with socket.io-adapter 2.5.9), socket.io-client 4.8.3 and @socket.io/redis-adapter 8.3.0 on Redis 7.0, Node 20; 2026-11-29.
#
# With connectionStateRecovery, an adapter of the class ClusterAdapter appends an offset to each broadcast, even if its backend keeps nothing and
# there is none to append. With the sharded Redis adapter it is an empty text for the clients of the server that emits, and null for those of other
# servers. The clients of the first server take the empty text for their offset, and send it when they come back.
#
# Seen:
#   emit('news', 1): the client of this server hears [1,""], that of the other server [1,null]
#
# This affects apps that turn recovery on with such an adapter, and handlers on the page that look at the number or the last of their arguments:
# `onAny()`, rest parameters, an optional last one. The plugin's own offset is the same for all servers, and nobody gets one where there is none
# (src/backplane/recovery).
set -euo pipefail
command -v redis-server >/dev/null || { apt-get update -qq && apt-get install -y -qq redis-server >/dev/null; } || exit 2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund socket.io@4.8.4 socket.io-adapter@2.5.9 socket.io-client@4.8.3 @socket.io/redis-adapter@8.3.0 ioredis@5.11.1 || exit 2

cat >run.mjs <<'JS'
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as wait } from 'node:timers/promises';
import { createServer } from 'node:net';
import { createShardedAdapter } from '@socket.io/redis-adapter';
import { Redis } from 'ioredis';
import { Server } from 'socket.io';
import { io } from 'socket.io-client';

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
  const server = new Server({ adapter: createShardedAdapter(pub, sub), connectionStateRecovery: {} });
  await once(server.listen(0).httpServer, 'listening');
  return server;
};
const servers = [await startServer(), await startServer()];
const clients = servers.map(({ httpServer }) => io(`http://127.0.0.1:${httpServer.address().port}`));
await Promise.all(clients.map(client => once(client, 'connect')));
while ((await servers[0].fetchSockets()).length < 2) await wait(50); // both servers know each other

const heard = clients.map(client => new Promise(resolve => client.once('news', (...args) => resolve(JSON.stringify(args)))));
servers[0].emit('news', 1);
const [here, there] = await Promise.all(heard);
console.log(`emit('news', 1): the client of this server hears ${here}, that of the other server ${there}`);
process.exit(here === '[1,""]' && there === '[1,null]' ? 0 : 1);
JS
timeout 50 node run.mjs
