#!/usr/bin/env bash
# socket.io 4.8.4 with engine.io 6.6.13, socket.io-client 4.8.4 with engine.io-client 6.6.8; 2026-11-29.
#
# A client that upgrades to WebSocket stops polling when the server has answered its probe, and then says so over the WebSocket. If the WebSocket is cut
# off between the two, the client neither polls nor sends any more. It looks connected until no ping has come for 45 s, by default. `engine.close()`, which
# waits for the upgrade, does not end it either.
#
# Seen:
#   an event is not answered; engine.close() closes nothing; the end: ping timeout
#
# This affects pages that have just come when a proxy or a server ends their WebSocket, such as in a deploy: they are offline for 45 s, without knowing it.
# A shorter heartbeat (`pingInterval`, `pingTimeout`) shortens that; with `transports: ['websocket']` there is no upgrade. This plugin does nothing about
# it. A mistake of its own had ended sessions at that moment (test/session-routing.test.ts, 'a long answer is compressed').
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund socket.io@4.8.4 engine.io@6.6.13 socket.io-client@4.8.4 engine.io-client@6.6.8 || exit 2

cat >seen.js <<'JS'
const { Server } = require('socket.io');
const { io } = require('socket.io-client');
const server = new Server(0, { pingInterval: 2000, pingTimeout: 2000 });
server.engine.on('connection', connection => {
  connection.once('upgrading', webSocket => webSocket.close()); // after the answer to the probe
});
server.use((socket, next) => setTimeout(next, 500)); // until then the client waits for the answer to a poll
server.on('connection', socket => socket.on('hello', answer => answer()));
const socket = io(`http://127.0.0.1:${server.httpServer.address().port}`, { reconnection: false });
const { engine } = socket.io;
const seen = [];
socket.once('connect', () => {
  socket.timeout(1000).emit('hello', error => {
    seen.push(error ? 'an event is not answered' : 'an event is answered');
    engine.close();
    seen.push(socket.connected ? 'engine.close() closes nothing' : 'engine.close() closes it');
  });
});
socket.once('disconnect', reason => {
  console.log([...seen, `the end: ${reason}`].join('; '));
  process.exit();
});
JS
seen=$(timeout 50 node seen.js)
echo "$seen"
[ "$seen" = 'an event is not answered; engine.close() closes nothing; the end: ping timeout' ]
