#!/usr/bin/env bash
# @socket.io/postgres-adapter 0.5.0, pg 8.23.1, socket.io and socket.io-client 4.8.4, PostgreSQL 15 (Debian), Node 20; 2026-11-28.
#
# If some events contain bytes, clients do not receive the events in the order in which they were emitted. This is true for clients of other
# servers and of the emitting server. The adapter first stores a message with bytes in a table, and delivers it to its own clients only after that,
# but later events do not wait. Each pair here is an event with 100 kB of bytes, followed by one without.
#
# Seen:
#   clients of the same server: 100 of 100 pairs in the wrong order
#   clients of another server: 100 of 100 pairs in the wrong order
#
# This affects apps that send a file or an image and then "done" to the same clients: they get "done" first. The plugin sends and reads messages in
# order (src/backplane/postgres/publisher.ts and reader.ts; the conformance tests mix events with and without bytes). It cannot do so for clients
# of plain Socket.IO servers on the same database.
set -euo pipefail
bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | tail -1) || true
if [ -z "$bin" ]; then
  { apt-get update && apt-get install -y --no-install-recommends postgresql; } >/dev/null 2>&1 || exit 2
  bin=$(ls -d /usr/lib/postgresql/*/bin | tail -1)
fi
folder=$(mktemp -d)
trap '[ ! -f data/postmaster.pid ] || kill -INT "$(head -1 data/postmaster.pid)"; wait; rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund @socket.io/postgres-adapter@0.5.0 pg@8.23.1 socket.io@4.8.4 socket.io-client@4.8.4 || exit 2

as_user() { if [ "$(id -u)" = 0 ]; then setpriv --reuid=postgres --regid=postgres --clear-groups "$@"; else "$@"; fi; }
mkdir data
[ "$(id -u)" != 0 ] || chown postgres "$folder" data
port=$(node -p 'const s = require("net").createServer().listen(0, "127.0.0.1", () => { console.log(s.address().port); s.close(); }); ""' | tr -d '\n')
as_user "$bin/initdb" -D data -U test --auth=trust >/dev/null
as_user "$bin/postgres" -D data -p "$port" -k "$folder" -c listen_addresses=127.0.0.1 >/dev/null 2>&1 &
until "$bin/pg_isready" -q -h 127.0.0.1 -p "$port"; do sleep 0.2; done

cat >run.mjs <<'JS'
import { once } from 'node:events';
import { setTimeout as wait } from 'node:timers/promises';
import { createAdapter } from '@socket.io/postgres-adapter';
import pg from 'pg';
import { Server } from 'socket.io';
import { io } from 'socket.io-client';

const settings = { connectionString: process.argv[2] };
const table = new pg.Pool(settings);
await table.query('CREATE TABLE socket_io_attachments (id bigserial UNIQUE, created_at timestamptz DEFAULT NOW(), payload bytea)');
const servers = [1, 2].map(() => {
  const server = new Server(0);
  server.adapter(createAdapter(new pg.Pool(settings)));
  server.of('/');
  return server;
});
const clients = servers.map(({ httpServer }) => io(`http://127.0.0.1:${httpServer.address().port}`, { transports: ['websocket'] }));
await Promise.all(clients.map(client => once(client, 'connect')));
while ((await servers[0].fetchSockets()).length < 2) await wait(50); // until the servers know each other

const PAIRS = 100;
const heard = clients.map(() => []);
const all = clients.map(
  (client, index) => new Promise(resolve => client.on('event', event => heard[index].push(event) === PAIRS * 2 && resolve())),
);
for (let pair = 0; pair < PAIRS; pair++) {
  servers[0].emit('event', `${pair} with bytes`, Buffer.alloc(100_000));
  servers[0].emit('event', `${pair} plain`);
}
await Promise.all(all);
const wrong = heard.map(events => {
  const places = new Map(events.map((event, place) => [event, place]));
  return Array.from({ length: PAIRS }, (_, pair) => places.get(`${pair} plain`) < places.get(`${pair} with bytes`)).filter(Boolean).length;
});
console.log(`clients of the same server: ${wrong[0]} of ${PAIRS} pairs in the wrong order`);
console.log(`clients of another server: ${wrong[1]} of ${PAIRS} pairs in the wrong order`);
process.exit(wrong.every(count => count > 0) ? 0 : 1);
JS
timeout 30 node run.mjs "postgres://test@127.0.0.1:$port/postgres"
