#!/usr/bin/env bash
# @socket.io/postgres-adapter 0.5.0, pg 8.23.1, socket.io and socket.io-client 4.8.4, PostgreSQL 15 (Debian), Node 20; 2026-11-30.
#
# In a database whose encoding is not UTF-8, an event with a character that this encoding lacks does not reach other servers: PostgreSQL refuses the
# notification. Clients of the emitting server get the event, and nothing is logged unless the app has set `errorHandler`. The same text arrives in an
# event that also has bytes, since such an event is stored in a table first.
#
# Seen, with EUC_CN and the texts 早上好, café, ☕ and 🙂:
#   clients of the same server hear all
#   clients of another server hear 早上好, café
#   beside bytes, they hear all
#
# This affects older databases, such as EUC_CN ones in China, LATIN1 or WIN1252: chats work until somebody writes an emoji, and then lose this message
# for some. The plugin sends such a message by the table (src/backplane/postgres/publisher.ts, test/once/postgres.test.ts).
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
import { createAdapter } from '@socket.io/postgres-adapter';
import pg from 'pg';
import { Server } from 'socket.io';
import { io } from 'socket.io-client';

const TEXTS = ['早上好', 'café', '☕', '🙂'];
const settings = name => ({ connectionString: `${process.argv[2]}/${name}` });
await new pg.Pool(settings('postgres')).query(`CREATE DATABASE chinese ENCODING 'EUC_CN' LOCALE 'C' TEMPLATE template0`);
const table = new pg.Pool(settings('chinese'));
await table.query('CREATE TABLE socket_io_attachments (id bigserial UNIQUE, created_at timestamptz DEFAULT NOW(), payload bytea)');
const servers = [1, 2].map(() => {
  const server = new Server(0);
  server.adapter(createAdapter(new pg.Pool({ ...settings('chinese'), max: 2 }))); // one listens, the other sends in order
  server.of('/');
  return server;
});
const clients = servers.map(({ httpServer }) => io(`http://127.0.0.1:${httpServer.address().port}`, { transports: ['websocket'] }));
await Promise.all(clients.map(client => once(client, 'connect')));
const known = once(clients[1], 'known');
const asking = setInterval(() => servers[0].emit('known'), 50); // until the servers know each other
await known;
clearInterval(asking);

/** The texts that each client has heard when the last event arrives. */
async function heard(...more) {
  const all = clients.map(() => []);
  clients.forEach((client, index) => client.on('said', text => all[index].push(text)));
  const ends = clients.map(client => once(client, 'end'));
  for (const text of TEXTS) servers[0].emit('said', text, ...more);
  servers[0].emit('end', ...more); // one connection sends, and keeps the order of events that are alike
  await Promise.all(ends);
  for (const client of clients) client.off('said');
  return all;
}
const [here, elsewhere] = await heard();
const [, withBytes] = await heard(Buffer.alloc(1));
const shown = heard => (heard.length === TEXTS.length ? 'all' : heard.join(', '));
console.log(`clients of the same server hear ${shown(here)}`);
console.log(`clients of another server hear ${shown(elsewhere)}`);
console.log(`beside bytes, they hear ${shown(withBytes)}`);
process.exit(shown(here) === 'all' && shown(elsewhere) === '早上好, café' && shown(withBytes) === 'all' ? 0 : 1);
JS
timeout 30 node run.mjs "postgres://test@127.0.0.1:$port"
