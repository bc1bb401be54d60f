#!/usr/bin/env bash
# Pgpool-II 4.3.5 and PostgreSQL 15 (Debian), @socket.io/postgres-adapter 0.5.0, pg 8.23.1, socket.io and socket.io-client 4.8.4, Node 20; 2026-11-30.
#
# Behind Pgpool-II with a standby, clients of other servers do not receive some events with bytes, nor large ones; all other events arrive. The
# adapter stores such a message in a table and then notifies the others, which read the row with `SELECT payload ... WHERE id = $1`. Pgpool-II sends
# this SELECT to the standby (`load_balance_mode`, on by default), which may not have the row yet: its replication is asynchronous by default, and
# nothing here delays it. In the script, Pgpool-II gives the primary no SELECT, as is usual to relieve it. LISTEN and pg_notify() go to the primary.
#
# Seen (the second number varies, and is 100 if Pgpool-II leads to the primary alone):
#   with a standby: 100 of 100 texts arrived, 85 of 100 events with bytes; Cannot read properties of undefined (reading 'payload')
#   primary alone: 100 of 100 texts arrived, 100 of 100 events with bytes
#
# This affects apps that send files or images, and only in production, where there is a standby. The plugin reads the row, and the events of rooms
# with history, with several statements in one query, which Pgpool-II sends to the primary (src/backplane/postgres/kept-tables.ts and queries.ts; tests
# in test/once/postgres.test.ts and streams.test.ts; docs/backends.md, 'Poolers'). If this has changed, the tests of Pgpool-II can be removed.
set -euo pipefail
if ! ls -d /usr/lib/postgresql/*/bin >/dev/null 2>&1 || [ ! -x /usr/sbin/pgpool ]; then
  { apt-get update && apt-get install -y --no-install-recommends postgresql pgpool2; } >/dev/null 2>&1 || exit 2
fi
bin=$(ls -d /usr/lib/postgresql/*/bin | tail -1)
folder=$(mktemp -d)
cd "$folder"
end() {
  for file in pgpool.pid standby/postmaster.pid primary/postmaster.pid; do [ ! -f "$file" ] || kill -INT "$(tr -d '\0' <"$file" | head -1)"; done
  wait
  rm -rf "$folder"
}
trap end EXIT
npm init -y >/dev/null
npm install --silent --no-audit --no-fund @socket.io/postgres-adapter@0.5.0 pg@8.23.1 socket.io@4.8.4 socket.io-client@4.8.4 || exit 2

as_user() { if [ "$(id -u)" = 0 ]; then setpriv --reuid=postgres --regid=postgres --clear-groups "$@"; else "$@"; fi; }
[ "$(id -u)" != 0 ] || chown postgres "$folder"
ports=($(node -e 'const all = [1, 2, 3].map(() => require("net").createServer().listen(0, "127.0.0.1")); setTimeout(() => all.forEach(s => { console.log(s.address().port); s.close(); }), 100)'))
start() { # folder port
  as_user "$bin/postgres" -D "$1" -p "$2" -k "$folder" -c listen_addresses=127.0.0.1 >/dev/null 2>&1 &
  until "$bin/pg_isready" -q -h 127.0.0.1 -p "$2"; do sleep 0.2; done
}
as_user "$bin/initdb" -D primary -U test --auth=trust >/dev/null
start primary "${ports[0]}"
as_user "$bin/pg_basebackup" -h 127.0.0.1 -p "${ports[0]}" -U test -D standby --write-recovery-conf --checkpoint=fast
start standby "${ports[1]}"
cat >pgpool.conf <<CONF
backend_clustering_mode = 'streaming_replication'
sr_check_user = 'test'
backend_hostname0 = '127.0.0.1'
backend_port0 = ${ports[0]}
backend_weight0 = 0
backend_hostname1 = '127.0.0.1'
backend_port1 = ${ports[1]}
backend_weight1 = 1
listen_addresses = '127.0.0.1'
port = ${ports[2]}
pcp_listen_addresses = ''
pcp_socket_dir = '$folder'
socket_dir = '$folder'
logdir = '$folder'
pid_file_name = '$folder/pgpool.pid'
CONF
as_user /usr/sbin/pgpool -n -D -f pgpool.conf >/dev/null 2>&1 &
until "$bin/pg_isready" -q -h 127.0.0.1 -p "${ports[2]}"; do sleep 0.2; done

cat >run.mjs <<'JS'
import { once } from 'node:events';
import { setTimeout as wait } from 'node:timers/promises';
import { createAdapter } from '@socket.io/postgres-adapter';
import pg from 'pg';
import { Server } from 'socket.io';
import { io } from 'socket.io-client';

const EVENTS = 100;
const [primary, pgpool] = process.argv.slice(2).map(port => ({ connectionString: `postgres://test@127.0.0.1:${port}/postgres` }));
await new pg.Pool(primary).query('CREATE TABLE socket_io_attachments (id bigserial UNIQUE, created_at timestamptz DEFAULT NOW(), payload bytea)');
await wait(2000); // the standby has the table too

async function run(name, settings) {
  const errors = new Set();
  const servers = [1, 2].map(() => {
    const server = new Server(0);
    server.adapter(createAdapter(new pg.Pool(settings), { channelPrefix: name, errorHandler: error => errors.add(error.message) }));
    server.of('/');
    return server;
  });
  const client = io(`http://127.0.0.1:${servers[1].httpServer.address().port}`, { transports: ['websocket'] });
  await once(client, 'connect');
  while ((await servers[0].fetchSockets()).length < 1) await wait(50); // until the servers know each other
  const heard = { text: 0, bytes: 0 };
  for (const event of Object.keys(heard)) client.on(event, () => heard[event]++);
  for (let index = 0; index < EVENTS; index++) {
    servers[0].emit('text', 'text');
    servers[0].emit('bytes', Buffer.from('bytes'));
    await wait(20);
  }
  await wait(2000);
  const seen = `${heard.text} of ${EVENTS} texts arrived, ${heard.bytes} of ${EVENTS} events with bytes`;
  console.log(`${name}: ${[seen, ...errors].join('; ')}`);
  return heard;
}

const behind = await run('with a standby', pgpool);
const alone = await run('primary alone', primary);
const isUnchanged = behind.text === EVENTS && behind.bytes < EVENTS && alone.bytes === EVENTS;
process.exit(isUnchanged ? 0 : 1);
JS
node run.mjs "${ports[0]}" "${ports[2]}"
