#!/usr/bin/env bash
# @socket.io/postgres-adapter 0.5.0 with socket.io-adapter 2.5.9, pg 8.23.1, socket.io and socket.io-client 4.8.4, PostgreSQL 15 (Debian), Node 20;
# 2026-11-30.
#
# When the clock of a server is set ahead by more than `heartbeatTimeout`, 10 s, the adapter forgets all other servers within a second, until each
# sends something again, 5 s later by default. Questions do not fail meanwhile: they end at once, without those servers. If the clock is set back, a
# server that has died is counted for as long, and each question fails after 5 s. The adapter compares times of `Date.now()`. Those for MongoDB and for
# Node's cluster do the same.
#
# Seen, with two servers and a client at the second one:
#   before: fetchSockets() 1, serverSideEmitWithAck() 1 answer
#   an hour ahead: fetchSockets() 0, serverSideEmitWithAck() 0 answers
#
# This affects apps that decide by `fetchSockets()`, for example whether a user is online or may connect once more: they are told that nobody is there
# when a virtual machine is resumed or NTP corrects a clock. The plugin counts servers by a clock that is not set
# (src/backplane/last-heard.ts; test/once/postgres.test.ts and mongo.test.ts set the clock ahead and back).
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

const [one, other] = [1, 2].map(() => {
  const server = new Server(0);
  server.adapter(createAdapter(new pg.Pool({ connectionString: process.argv[2] })));
  server.of('/').on('question', answer => answer('here'));
  return server;
});
const client = io(`http://127.0.0.1:${other.httpServer.address().port}`, { transports: ['websocket'] });
await once(client, 'connect');
while ((await one.fetchSockets()).length < 1) await wait(50); // until the servers know each other

const seen = async () => [(await one.fetchSockets()).length, (await one.serverSideEmitWithAck('question')).length];
const before = await seen();
const now = Date.now;
Date.now = () => now() + 3_600_000;
await wait(1500); // it looks every second
const after = await seen();
console.log(`before: fetchSockets() ${before[0]}, serverSideEmitWithAck() ${before[1]} answer`);
console.log(`an hour ahead: fetchSockets() ${after[0]}, serverSideEmitWithAck() ${after[1]} answers`);
process.exit(String([before, after]) === '1,1,0,0' ? 0 : 1);
JS
timeout 30 node run.mjs "postgres://test@127.0.0.1:$port/postgres"
