#!/usr/bin/env bash
# socket.io 4.8.4, socket.io-client 4.8.4, and socket.io-client 2.5.0; 2026-11-29.
#
# `connectTimeout` of Socket.IO ends a connection that has joined no namespace in time. Once it has joined one, a namespace whose middleware never
# calls next() waits for ever, and the client hears nothing. A client of protocol 3 is in the namespace `/` from the start, so that the time-out never
# applies to what it asks for.
#
# Seen:
#   connectTimeout 1 s: alone closed; beside another namespace nothing in 5 s; protocol 3 nothing in 5 s; 3 waited
#
# This affects apps whose middleware asks a slow store: the sockets that wait pile up, each with its promise, and no log names them. This plugin holds
# the time for each namespace: the client is refused with CONNECT_TIMEOUT (docs/limits.md, test/timeouts.test.ts).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund socket.io@4.8.4 socket.io-client@4.8.4 client-2@npm:socket.io-client@2.5.0 || exit 2

cat >seen.js <<'JS'
const { createServer } = require('node:http');
const { Server } = require('socket.io');
const four = require('socket.io-client').io;
const two = require('client-2');
const http = createServer();
const server = new Server(http, { connectTimeout: 1000, allowEIO3: true });
let waiting = 0;
server.of('/slow').use(() => waiting++); // never calls next()
const TIME = 5000;

/** What a client of /slow hears. */
async function heard(connect, first) {
  const url = `http://127.0.0.1:${http.address().port}`;
  const manager = connect(url, { forceNew: true, reconnection: false, autoConnect: first });
  if (first) await new Promise(resolve => manager.once('connect', resolve));
  const slow = manager.io.socket('/slow');
  if (!first) slow.connect();
  const events = ['connect', 'connect_error', 'error', 'disconnect'];
  const gone = new Promise(resolve => manager.io.engine?.once('close', () => resolve('closed')) ?? manager.io.once('close', () => resolve('closed')));
  const told = events.map(name => new Promise(resolve => slow.once(name, () => resolve(name))));
  const result = await Promise.race([gone, ...told, new Promise(resolve => setTimeout(resolve, TIME, `nothing in ${TIME / 1000} s`))]);
  (manager.disconnect(), slow.disconnect());
  return result;
}

http.listen(0, '127.0.0.1', async () => {
  const alone = await heard(four, false);
  const beside = await heard(four, true);
  const old = await heard(two, true);
  console.log(`connectTimeout 1 s: alone ${alone}; beside another namespace ${beside}; protocol 3 ${old}; ${waiting} waited`);
  server.close();
  process.exit();
});
JS
seen=$(timeout 45 node seen.js)
echo "$seen"
[ "$seen" = 'connectTimeout 1 s: alone closed; beside another namespace nothing in 5 s; protocol 3 nothing in 5 s; 3 waited' ]
