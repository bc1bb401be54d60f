#!/usr/bin/env bash
# @socket.io/postgres-adapter 0.5.0, pg 8.23.1, socket.io and socket.io-client 4.8.4, PostgreSQL 15 (Debian), Node 20; 2026-11-30.
#
# The option `errorHandler` of the adapter never hears that an event could not be stored. Events with bytes or of more than 8,000 bytes go through a
# table. Where that fails, as with a role that may only read the table, they do not reach other servers, the promise of the failed INSERT is turned
# into a line of `debug`, and the app has no way to know. Small events arrive, so the cluster looks whole.
#
# Seen, with a role that lacks INSERT, and an `errorHandler` on both servers:
#   clients of the same server hear small, bytes, long
#   clients of another server hear small
#   errorHandler was called 0 times
#
# This affects chats with pictures or long texts after a restored backup, a new role or a full disk. The plugin stores by itself and logs
# IO_DATABASE_REFUSED with PostgreSQL's words (src/backplane/postgres/publisher.ts, test/once/postgres-refusals.test.ts).
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

const url = (user, name) => ({ connectionString: `postgres://${user}@127.0.0.1:${process.argv[2]}/${name}` });
const admin = new pg.Pool(url('test', 'postgres'));
await admin.query('CREATE TABLE socket_io_attachments (id bigserial UNIQUE, created_at timestamptz DEFAULT NOW(), payload bytea)');
await admin.query('CREATE ROLE app LOGIN');
await admin.query('GRANT SELECT ON socket_io_attachments TO app');
let errors = 0;
const servers = [1, 2].map(() => {
  const server = new Server(0);
  const pool = new pg.Pool({ ...url('app', 'postgres'), max: 2 }); // one listens, the other sends in order
  server.adapter(createAdapter(pool, { errorHandler: () => errors++ }));
  server.of('/');
  return server;
});
const clients = servers.map(({ httpServer }) => io(`http://127.0.0.1:${httpServer.address().port}`, { transports: ['websocket'] }));
await Promise.all(clients.map(client => once(client, 'connect')));
const known = once(clients[1], 'known');
const asking = setInterval(() => servers[0].emit('known'), 50); // until the servers know each other
await known;
clearInterval(asking);

const heard = clients.map(() => []);
clients.forEach((client, index) => client.on('said', what => heard[index].push(what)));
const ends = clients.map(client => once(client, 'end'));
servers[0].emit('said', 'small');
servers[0].emit('said', 'bytes', Buffer.alloc(1));
servers[0].emit('said', 'long', 'x'.repeat(9000));
servers[0].emit('end'); // small, and sent by the same connection after the others
await Promise.all(ends);
const [here, elsewhere] = heard.map(list => list.join(', '));
console.log(`clients of the same server hear ${here}`);
console.log(`clients of another server hear ${elsewhere}`);
console.log(`errorHandler was called ${errors} times`);
process.exit(here === 'small, bytes, long' && elsewhere === 'small' && errors === 0 ? 0 : 1);
JS
timeout 30 node run.mjs "$port"
