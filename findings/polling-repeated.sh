#!/usr/bin/env bash
# socket.io 4.8.4 with engine.io 6.6.13, Node 20.20.2, Chromium 156.0.8078.108 of Debian; 2026-11-29.
#
# If a connection that Chromium has kept open ends before the answer to a request has come, Chromium sends a GET again by itself: the same poll of
# Socket.IO with the same `t`, unseen by the page. Engine.IO takes it for the next poll. The events in the answer that got lost are missing, but the
# page sees no disconnect, so that connection state recovery does not help either.
#
# Seen:
#   a poll came again, with the same t
#   the page heard 1, 3; disconnects: 0
#
# This affects all pages that use polling, behind proxies that restart or networks that change: an event is lost although nothing says so. This plugin
# ends a session whose client repeats a request, and the client is recovered (src/handshake/repeated-requests.ts, test/recovery.test.ts).
set -euo pipefail
command -v chromium >/dev/null || { apt-get update -qq && apt-get install -y -qq chromium >/dev/null; } || exit 2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund socket.io@4.8.4 engine.io@6.6.13 || exit 2

cat >seen.js <<'JS'
const { spawn } = require('node:child_process');
const { createServer } = require('node:http');
const net = require('node:net');
const { setTimeout: passes } = require('node:timers/promises');
const { Server } = require('socket.io');

const PAGE = `<script src="/socket.io/socket.io.js"></script><script>
  const tell = what => fetch('/told?' + what, { method: 'POST' });
  const socket = io({ transports: ['polling'] });
  socket.on('disconnect', () => tell('disconnect'));
  socket.on('said', number => tell(number));
</script>`;
const told = [];
const http = createServer(({ url }, response) => {
  if (url.startsWith('/told?')) told.push(url.slice(6));
  response.setHeader('content-type', 'text/html').end(url === '/' ? PAGE : '');
});
const server = new Server(http, { connectionStateRecovery: {} });
const polls = [];
http.prependListener('request', ({ method, url }) => {
  if (method === 'GET' && url.startsWith('/socket.io/?')) polls.push(new URL(url, 'http://page').searchParams.get('t'));
});

let isLost = false;
const proxy = net.createServer(client => {
  const upstream = net.connect(http.address().port, '127.0.0.1');
  client.pipe(upstream);
  upstream.on('data', data => {
    if (isLost || !String(data).includes('"said",2')) return client.write(data);
    isLost = true;
    client.resetAndDestroy();
  });
  client.on('error', () => {}).on('close', () => upstream.destroy());
  upstream.on('error', () => {}).on('close', () => client.destroy());
});

server.once('connection', async socket => {
  const untilPollWaits = async () => { while (!socket.conn.transport.writable) await passes(5); };
  const emit = number => server.emit('said', number);
  const untilHeard = async number => { while (!told.includes(number)) await passes(5); };
  await passes(300); // the connection to the page is one that Chromium has kept open
  await untilPollWaits();
  emit(1);
  await untilHeard('1');
  await untilPollWaits();
  emit(2);
  await passes(300);
  emit(3);
  await untilHeard('3');
  await passes(300);
  if (new Set(polls).size < polls.length) console.log('a poll came again, with the same t');
  console.log(`the page heard ${told.filter(Number).join(', ')}; disconnects: ${told.filter(what => what === 'disconnect').length}`);
  end();
});
let browser;
const end = () => browser.once('exit', () => process.exit()).kill();
process.once('SIGTERM', end); // too late
http.listen(0, '127.0.0.1', () => proxy.listen(0, '127.0.0.1', () => {
  const url = `http://127.0.0.1:${proxy.address().port}/`;
  const args = ['--headless', '--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking', `--user-data-dir=${process.cwd()}/profile`];
  browser = spawn('chromium', [...args, url], { stdio: 'ignore' });
}));
JS
seen=$(timeout 40 node seen.js 2>&1) || true
echo "$seen"
[ "$seen" = 'a poll came again, with the same t
the page heard 1, 3; disconnects: 0' ]
