/** What a process of the soak still holds of clients, when all of them have gone. */
import { setImmediate as nextTurn, setTimeout as wait } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import lifecycle from '../dist/server/lifecycle.js';

/** How long what is under way may take to end, in ms: far more than it takes. */
const END_TIMEOUT = 10_000;

setFlagsFromString('--expose-gc'); // Egg decides with which flags its workers start
const gc = runInNewContext('gc');

/** @param more counts of other tables, in a function */
export async function census(io, more = () => ({})) {
  const count = () => ({ ...more(), ...tables(io) });
  const deadline = Date.now() + END_TIMEOUT;
  while (Object.values(count()).some(entries => entries !== 0) && Date.now() < deadline) await wait(10);
  const heap = await collectGarbage();
  return { tables: count(), heap };
}

/** Entries in every table of connections: Engine.IO's, Socket.IO's and the plugin's. All are to be empty. */
function tables(io) {
  const { arrivals, ids, inFlight, limits } = lifecycle.lifecycleOf(io).runtime;
  const sum = count => [...io._nsps.values()].reduce((total, nsp) => total + count(nsp), 0);
  return {
    'clients of the engine': Object.keys(io.engine.clients).length,
    'client count of the engine': io.engine.clientsCount,
    'sockets of namespaces': sum(nsp => nsp.sockets.size),
    'sockets that are connecting': sum(nsp => nsp._preConnectSockets.size),
    'sockets of adapters': sum(nsp => nsp.adapter.sids.size),
    'rooms of adapters': sum(nsp => nsp.adapter.rooms.size),
    arrivals: arrivals.size,
    ids: ids.size,
    'handlers in flight': inFlight.size,
    'packets that are not complete': limits.attachments.size,
  };
}

/** Returns the size of the heap and of the buffers outside of it, in bytes. */
async function collectGarbage() {
  for (let round = 0; round < 4; round++) {
    await nextTurn(); // what has been collected may let go of more
    gc();
  }
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
