#!/usr/bin/env bash
# socket.io 4.8.4, socket.io-client 4.8.4, Node 20 and 24; 2026-11-28.
#
# An app's own `auth.pid` or `auth.offset` silently turns connection state recovery off. The client sends the key of its session and its last
# offset in the same object as the app's `auth`, and the app's fields take precedence. The page about connection state recovery lists no
# reserved fields.
#
# Seen:
#   auth {"token":"t"}: recovered true
#   auth {"token":"t","pid":"product-7"}: recovered false
#   auth {"token":"t","offset":"20"}: recovered false
#
# This affects apps that send a product id, a process id or the offset of a list in `auth`: each short disconnect loses rooms and events. The plugin
# warns of such names once if recovery is on (IO_RECOVERY_AUTH).
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

const server = new Server(0, { connectionStateRecovery: {} });
const url = `http://127.0.0.1:${server.httpServer.address().port}`;
server.on('connection', socket => socket.emit('hello'));

const seen = [];
for (const auth of [{ token: 't' }, { token: 't', pid: 'product-7' }, { token: 't', offset: '20' }]) {
  const client = io(url, { transports: ['websocket'], forceNew: true, auth, reconnectionDelay: 50 });
  await once(client, 'hello');
  client.io.engine.close();
  await once(client, 'connect');
  seen.push(client.recovered);
  console.log(`auth ${JSON.stringify(auth)}: recovered ${client.recovered}`);
  client.disconnect();
}
server.close();
process.exitCode = String(seen) === 'true,false,false' ? 0 : 1;
JS
timeout 50 node run.mjs
