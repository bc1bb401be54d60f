/** What every server does: it listens, and answers the runner's questions. */
import { once } from 'node:events';
import { setTimeout } from 'node:timers/promises';
import { promisify } from 'node:util';
import { answer } from './child.mjs';

/** Handlers of one-way messages count here, so that the runner sees that none was lost. */
globalThis.received = 0;

/**
 * @param versions of the packages that are measured, by name
 * @param more questions that this server answers
 */
export async function serve(server, versions, more) {
  if (!server.listening) {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  }
  const connections = promisify(server.getConnections).bind(server);
  answer({
    about: () => ({ port: server.address().port, versions, node: process.versions.node }),
    received: () => globalThis.received,
    memory() {
      for (let i = 0; i < 3; i++) globalThis.gc();
      return process.memoryUsage();
    },
    /** Resolves when no client is connected and what their leaving has caused is done. */
    async left() {
      while ((await connections()) > 0) await setTimeout(10);
      await setTimeout(50);
    },
    ...more,
  });
}
