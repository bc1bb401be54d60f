#!/usr/bin/env bash
# socket.io 4.8.4, socket.io-client 4.8.4, ws 8, Node 20 and 24; 2026-11-28.
#
# `socket.disconnect().connect()` on one of two namespaces that share a WebSocket closes both. The two packets arrive in one read. The server
# handles DISCONNECT in the next tick, but CONNECT at once, while the old socket still exists: it treats this as a client that connects
# twice, and closes the whole connection. Over polling, the packets are in two requests, and the other namespace stays connected.
#
# Seen:
#   websocket: /b is disconnected: transport close
#   polling: /a is connected again, /b never noticed
#
# This affects apps that reconnect to a namespace with another `auth`, after a login: all other namespaces of the page lose their rooms, and
# reconnect with new ids after 0.5 to 1.5 s. The plugin passes such a CONNECT on after the DISCONNECT (src/protocol.ts).
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

const server = new Server(0);
const url = `http://127.0.0.1:${server.httpServer.address().port}`;
for (const name of ['/a', '/b']) server.of(name);

const seen = {};
for (const transport of ['websocket', 'polling']) {
  const a = io(`${url}/a`, { transports: [transport], forceNew: true });
  await once(a, 'connect');
  const b = a.io.socket('/b');
  await once(b, 'connect');
  const cut = once(b, 'disconnect').then(([reason]) => `/b is disconnected: ${reason}`);
  a.disconnect().connect();
  seen[transport] = await Promise.race([cut, once(a, 'connect').then(() => '/a is connected again, /b never noticed')]);
  console.log(`${transport}: ${seen[transport]}`);
  a.disconnect();
  b.disconnect();
}
server.close();
process.exitCode = seen.websocket.startsWith('/b is disconnected') && seen.polling.startsWith('/a is connected') ? 0 : 1;
JS
timeout 50 node run.mjs
