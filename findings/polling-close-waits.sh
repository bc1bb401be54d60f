#!/usr/bin/env bash
# socket.io 4.8.4 with engine.io 6.6.13, socket.io-client 2.5.0; 2026-11-29.
#
# A server that disconnects a polling client with `disconnect(true)` gives it 30 s to fetch the close packet. If the client closes the connection by
# itself meanwhile, as the client of Socket.IO 2 does when its namespace is disconnected, the timer of 30 s goes on: a process with nothing else to do
# stays for as long.
#
# Seen:
#   the server ends 30 s after its only connection has closed
#
# This affects tests and scripts that start a server, and each process that ends by having nothing left to do: they hang for half a minute for each run.
# This plugin ends the wait when the connection has closed (src/handshake/late-close.ts).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund socket.io@4.8.4 engine.io@6.6.13 client-2@npm:socket.io-client@2.5.0 || exit 2

cat >server.js <<'JS'
const { createServer } = require('node:http');
const { Server } = require('socket.io');
const http = createServer();
const server = new Server(http, { allowEIO3: true });
server.on('connection', socket => {
  let closed;
  socket.conn.once('close', () => (closed = performance.now(), server.close(), http.closeAllConnections()));
  process.once('exit', () => console.log(Math.round((performance.now() - closed) / 1000)));
  socket.disconnect(true);
});
http.listen(0, '127.0.0.1', () => process.send(http.address().port));
JS
cat >seen.js <<'JS'
const child = require('node:child_process').fork('./server.js', { stdio: ['ignore', 'pipe', 'inherit', 'ipc'] });
child.stdout.once('data', data => {
  console.log(`the server ends ${String(data).trim()} s after its only connection has closed`);
  process.exit();
});
child.once('message', port => {
  child.disconnect();
  require('client-2')(`http://127.0.0.1:${port}`, { transports: ['polling'], reconnection: false });
});
JS
seen=$(timeout 50 node seen.js)
echo "$seen"
[ "$seen" = 'the server ends 30 s after its only connection has closed' ]
