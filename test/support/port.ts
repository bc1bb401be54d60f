/** A free port, for servers that cannot be told to take any. */
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';

/** Below those that systems give to outgoing connections: none of these takes it, not even while its server is down for a test. */
const [FIRST = 0, LAST = 0] = (process.env.TEST_PORTS ?? '10000-30000').split('-').map(Number); // tests that run at the same time have others

/** Those that this process has been given, or has found taken. */
const tried = new Set<number>();

/** Resolves to a port that was free just now. */
export async function freePort(): Promise<number> {
  while (tried.size < LAST - FIRST) {
    const port = randomInt(FIRST, LAST);
    if (tried.has(port)) continue;
    tried.add(port);
    const server = createServer();
    try {
      await once(server.listen(port, '127.0.0.1'), 'listening');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') continue; // Node's
      throw error;
    }
    server.close();
    await once(server, 'close');
    return port;
  }
  throw new Error(`no port from ${FIRST} to ${LAST} is left`);
}
