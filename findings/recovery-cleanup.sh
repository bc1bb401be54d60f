#!/usr/bin/env bash
# socket.io 4.8.4, socket.io-client 4.8.4, Node 20 and 24; 2026-11-28.
#
# With `cleanupEmptyChildNamespaces`, the last client of a namespace that was created on demand is never recovered. When its connection breaks,
# the namespace is empty, and is removed at once with its adapter, which keeps the session and the missed events. The page about recovery does
# not mention the option.
#
# Seen:
#   cleanupEmptyChildNamespaces false: recovered true
#   cleanupEmptyChildNamespaces true: recovered false
#
# This affects apps with one namespace per document, game or tenant, which often have a single client. The plugin warns at the start if both
# options are on and sessions are kept in memory (IO_RECOVERY_CLEANUP).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund socket.io@4.8.4 socket.io-client@4.8.4 || exit 2

cat >run.mjs <<'JS'
import { once } from 'node:events';
import { Server } from 'socket.io';
import { io } from 'socket.io-client';

const seen = [];
for (const cleanupEmptyChildNamespaces of [false, true]) {
  const server = new Server(0, { connectionStateRecovery: {}, cleanupEmptyChildNamespaces });
  server.of(/^\/document-\d+$/).on('connection', socket => socket.emit('hello'));
  const url = `http://127.0.0.1:${server.httpServer.address().port}/document-1`;
  const client = io(url, { transports: ['websocket'], forceNew: true, reconnectionDelay: 50 });
  await once(client, 'hello');
  client.io.engine.close();
  await once(client, 'connect');
  seen.push(client.recovered);
  console.log(`cleanupEmptyChildNamespaces ${cleanupEmptyChildNamespaces}: recovered ${client.recovered}`);
  client.disconnect();
  server.close();
}
process.exitCode = String(seen) === 'true,false' ? 0 : 1;
JS
timeout 50 node run.mjs
