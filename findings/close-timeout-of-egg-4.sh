#!/usr/bin/env bash
# egg 4.0.10 (with graceful-process 2.2.0), Node 20; 2026-11-29.
#
# Egg's master waits for EGG_APP_CLOSE_TIMEOUT after SIGTERM, and then kills a worker that has not closed. From egg 4 on, a worker has a clock of its
# own as well, that of graceful-process 2: it ends 5 s after SIGTERM, and only GRACEFUL_TIMEOUT changes that. With EGG_APP_CLOSE_TIMEOUT alone, what
# runs in `beforeClose` is cut off in the middle, and Egg logs an exit in good order.
#
# Seen, with a `beforeClose` that takes 7 s:
#   EGG_APP_CLOSE_TIMEOUT=20000: cut off
#   EGG_APP_CLOSE_TIMEOUT=20000 and GRACEFUL_TIMEOUT=20000: closed
#
# This affects apps whose servers move their clients away before they close, flush a queue or wait for handlers: they do not have the time that they
# have set in Egg's documented variable. This plugin knows both clocks, and its warning IO_DRAIN_CUT names both variables (src/config/drain.ts,
# docs/deployment.md, test/drain.test.ts).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund egg@4.0.10 graceful-process@2.2.0 || exit 2

mkdir config
echo "exports.keys = 'keys'; exports.logger = { consoleLevel: 'NONE' }; exports.cluster = { listen: { hostname: '127.0.0.1' } };" >config/config.default.js
echo "exports.watcher = exports.development = false;" >config/plugin.js
cat >app.js <<'JS'
const { writeFileSync } = require('node:fs');
module.exports = class {
  async beforeClose() {
    await new Promise(resolve => setTimeout(resolve, 7000));
    writeFileSync(process.env.CLOSED, 'closed');
  }
};
JS
cat >seen.js <<'JS'
const { fork } = require('node:child_process');
const { once } = require('node:events');
const { existsSync, writeFileSync } = require('node:fs');
const { createServer } = require('node:net');
const { join } = require('node:path');
writeFileSync('start.js', `require('egg').startCluster({ baseDir: __dirname, workers: 1, port: Number(process.env.FREE_PORT) }).then(() => process.send('up'));`);

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  return port;
}

/** Whether `beforeClose` ends. */
async function seen(names) {
  const closed = join(__dirname, names.join('-'));
  const clocks = Object.fromEntries(names.map(name => [name, '20000']));
  const env = { ...process.env, EGG_SERVER_ENV: 'prod', HOME: closed + '-home', CLOSED: closed, FREE_PORT: await freePort(), ...clocks };
  const master = fork('start.js', { env, silent: true });
  await once(master, 'message');
  master.kill('SIGTERM');
  await once(master, 'exit');
  return `${names.map(name => `${name}=20000`).join(' and ')}: ${existsSync(closed) ? 'closed' : 'cut off'}`;
}

(async () => {
  console.log(await seen(['EGG_APP_CLOSE_TIMEOUT']));
  console.log(await seen(['EGG_APP_CLOSE_TIMEOUT', 'GRACEFUL_TIMEOUT']));
})();
JS
seen=$(timeout 50 node seen.js)
echo "$seen"
[ "$seen" = $'EGG_APP_CLOSE_TIMEOUT=20000: cut off\nEGG_APP_CLOSE_TIMEOUT=20000 and GRACEFUL_TIMEOUT=20000: closed' ]
