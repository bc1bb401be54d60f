/** The process of the app that `npm run soak` loads: starts it, and counts what it still holds whenever it is asked. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { queryObjects } from 'node:v8';
import { Socket as EngineSocket } from 'engine.io';
import { Socket } from 'socket.io';
import lifecycle from '../dist/server/lifecycle.js';
import connection from '../dist/path/connection.js';
import { census } from './soak-census.mjs';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
/** What may be under way at any time: a line of log on its way to the disk, and what ends in this turn. */
const PASSING = new Set(['FSReqCallback', 'Immediate', 'TickObject']);

const [host, leak] = process.argv.slice(2);
const require = createRequire(import.meta.url);
const framework = join(ROOT, host === 'egg4' ? '.' : `test/hosts/${host}`, 'node_modules/egg');
const app = await require(framework).start({ baseDir: join(ROOT, 'benchmark/soak-app'), framework });
if (leak) app.kept = [];

const tcpConnections = new Set();
const server = createServer(app.callback());
server.on('connection', tcp => {
  tcpConnections.add(tcp);
  tcp.once('close', () => tcpConnections.delete(tcp));
});
app.emit('server', server); // as Egg does in a cluster
server.listen(0, '127.0.0.1');
await once(server, 'listening');

process.on('message', async message => process.send(message === 'alive' ? alive() : { ...(await census(app.io, tcp)), open: open() }));
process.on('disconnect', () => process.exit());
process.send({ port: server.address().port, version: require(join(framework, 'package.json')).version });

function tcp() {
  return { 'TCP connections': tcpConnections.size };
}

/** Objects of packets and connections that the garbage collector could not take. It takes seconds to count them. */
function alive() {
  const classes = {
    context: lifecycle.lifecycleOf(app.io).runtime.Context,
    connection: connection.Connection,
    socket: Socket,
    'engine socket': EngineSocket,
  };
  return Object.fromEntries(Object.entries(classes).map(([name, of]) => [name, queryObjects(of, { format: 'count' })]));
}

/** What else could pile up: listeners of what outlives connections, and whatever keeps a process running. */
function open() {
  const emitters = { process, app, server, engine: app.io.engine, 'the adapter of /': app.io.of('/').adapter };
  const counts = {};
  for (const [name, emitter] of Object.entries(emitters))
    counts[`listeners of ${name}`] = emitter.eventNames().reduce((sum, event) => sum + emitter.listenerCount(event), 0);
  for (const resource of process.getActiveResourcesInfo()) if (!PASSING.has(resource)) counts[resource] = (counts[resource] ?? 0) + 1;
  return counts;
}
