#!/usr/bin/env bash
# socket.io 4.8.4, socket.io-client 4.8.4, Node 20.20.2; 2026-11-29.
#
# In Node, one client of Socket.IO is two user agents: its polls carry `User-Agent: node-XMLHttpRequest`, its WebSocket carries none. So the requests
# of one session differ in the header by which servers most often tell one client from another.
#
# Seen:
#   polling: node-XMLHttpRequest; websocket: none
#
# This affects apps whose clients are Node programs (services, tests, bots): a session that is bound to the user agent, as by
# `config.io.bind: ['userAgent']` of this plugin or by a rule of a web application firewall, stays on polling, since its upgrade is refused. In browsers
# both carry the same header. docs/security.md says so.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund socket.io@4.8.4 socket.io-client@4.8.4 || exit 2

cat >seen.js <<'JS'
const { createServer } = require('node:http');
const { Server } = require('socket.io');
const { io } = require('socket.io-client');
const seen = {};
const http = createServer();
const server = new Server(http);
const note = ({ url, headers }) => (seen[/transport=(\w+)/.exec(url)[1]] = headers['user-agent'] ?? 'none');
server.engine.use((request, response, next) => (note(request), next()));
http.listen(0, '127.0.0.1', () => {
  const client = io(`http://127.0.0.1:${http.address().port}`);
  client.io.engine.once('upgrade', () => {
    console.log(`polling: ${seen.polling}; websocket: ${seen.websocket}`);
    client.disconnect();
    server.close();
  });
});
JS
seen=$(timeout 30 node seen.js)
echo "$seen"
[ "$seen" = 'polling: node-XMLHttpRequest; websocket: none' ]
