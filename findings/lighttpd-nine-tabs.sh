#!/usr/bin/env bash
# lighttpd 1.4.69 and Chromium 156.0.8078.108 of Debian, socket.io 4.8.4, Node 20; 2026-11-30.
#
# With TLS, lighttpd speaks HTTP/2, also for WebSockets (RFC 8441), and allows eight requests at a time on a connection. Chromium has one connection for
# all tabs of a site, and an open WebSocket is a request that does not end. So with eight open WebSockets, a browser sends this site nothing more: the
# ninth tab does not even load its page, until one of the others is closed. Without TLS, or without HTTP/2, each WebSocket has a connection of its own.
#
# Seen, on a page that opens ten WebSockets and then asks for itself:
#   HTTP/2: 8 connected, no answer in 5 s
#   HTTP/1.1: 10 connected, an answer
#
# This affects apps behind lighttpd whose users open several tabs, or whose page opens several connections; a client that polls takes a request almost
# all the time, too. HAProxy with `alpn h2` does the same with 100 requests. docs/cluster.md turns HTTP/2 off for lighttpd.
set -euo pipefail
packages='chromium lighttpd lighttpd-mod-openssl openssl'
dpkg -s $packages >/dev/null 2>&1 || { apt-get update && apt-get install -y --no-install-recommends $packages; } >/dev/null 2>&1 || exit 2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund socket.io@4.8.4 || exit 2
openssl req -x509 -newkey rsa:2048 -nodes -keyout key -out certificate -days 2 -subj /CN=localhost 2>/dev/null
cat certificate key >pem

cat >seen.js <<'JS'
const { spawn } = require('node:child_process');
const { once } = require('node:events');
const { writeFileSync } = require('node:fs');
const { createServer } = require('node:http');
const { connect, createServer: createTcpServer } = require('node:net');
const { setTimeout: passes } = require('node:timers/promises');
const { Server } = require('socket.io');

const PAGE = `<script src="/socket.io/socket.io.js"></script><script>
  for (let index = 0; index < 10; index++) io({ transports: ['websocket'], forceNew: true, reconnection: false });
  setTimeout(() => fetch("/asked"), 2000);
</script>`;

const programs = [];
process.once('SIGTERM', () => { // too late
  for (const program of programs) program.kill();
  process.exit(1);
});

async function freePort() {
  const server = createTcpServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  await new Promise(resolve => server.close(resolve));
  return port;
}

async function seen(flags) {
  let isAsked = false;
  const http = createServer(({ url }, response) => {
    isAsked ||= url === '/asked';
    response.setHeader('content-type', 'text/html').end(url === '/' ? PAGE : '');
  });
  const server = new Server(http);
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  const port = await freePort();
  writeFileSync(
    'lighttpd.conf',
    `server.port = ${port}
    server.bind = "127.0.0.1"
    server.document-root = "${process.cwd()}"
    server.modules += ( "mod_openssl", "mod_proxy" )
    ssl.engine = "enable"
    ssl.pemfile = "${process.cwd()}/pem"
    proxy.server = ( "" => ( ( "host" => "127.0.0.1", "port" => ${http.address().port} ) ) )
    proxy.header = ( "upgrade" => "enable" )
    ${flags}`,
  );
  programs.length = 0;
  const proxy = spawn('lighttpd', ['-D', '-f', 'lighttpd.conf'], { stdio: 'ignore', env: { PATH: `${process.env.PATH}:/usr/sbin` } });
  programs.push(proxy);
  for (let isUp = false; !isUp; await passes(50)) {
    const socket = connect(port, '127.0.0.1');
    isUp = await new Promise(resolve => socket.once('connect', () => resolve(true)).once('error', () => resolve(false)));
    socket.destroy();
  }
  const args = ['--headless', '--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking', '--ignore-certificate-errors'];
  const browser = spawn('chromium', [...args, `--user-data-dir=${process.cwd()}/profile`, `https://localhost:${port}/`], { stdio: 'ignore' });
  programs.unshift(browser);
  await once(server, 'connection');
  for (let waited = 0; waited < 7000 && !isAsked; waited += 50) await passes(50);
  const line = `${server.engine.clientsCount} connected, ${isAsked ? 'an answer' : 'no answer in 5 s'}`;
  for (const program of programs) {
    program.kill();
    await once(program, 'exit');
  }
  server.close();
  return line;
}

(async () => {
  console.log(`HTTP/2: ${await seen('')}`);
  console.log(`HTTP/1.1: ${await seen('server.feature-flags += ( "server.h2proto" => "disable" )')}`);
})();
JS
seen=$(timeout 50 node seen.js 2>&1) || true
echo "$seen"
[ "$seen" = 'HTTP/2: 8 connected, no answer in 5 s
HTTP/1.1: 10 connected, an answer' ]
