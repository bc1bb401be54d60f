/**
 * A port of this machine that is free now, below those that systems give to outgoing connections: none of these takes it while its server is down.
 * Tests that run at the same time have others: see test/support/port.ts.
 */
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';

const [FIRST, LAST] = (process.env.TEST_PORTS ?? '10000-30000').split('-').map(Number);

/** Those that this process has been given, or has found taken. */
const tried = new Set();

export async function freePort() {
  while (tried.size < LAST - FIRST) {
    const port = randomInt(FIRST, LAST);
    if (tried.has(port)) continue;
    tried.add(port);
    if (await isFree(port)) return port;
  }
  throw new Error(`no port from ${FIRST} to ${LAST} is left`);
}

async function isFree(port) {
  const server = createServer();
  try {
    await once(server.listen(port, '127.0.0.1'), 'listening');
  } catch (error) {
    if (error.code === 'EADDRINUSE') return false;
    throw error;
  }
  server.close();
  await once(server, 'close');
  return true;
}
