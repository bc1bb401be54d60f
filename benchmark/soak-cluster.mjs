/** The cluster of `soak-faults.mjs`: two workers, of which the first stays, and the other one can be killed. */
import cluster from 'node:cluster';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { answer } from './child.mjs';
import { freePort } from './port.mjs';

const framework = join(import.meta.dirname, '../node_modules/egg');
const port = await freePort();
const baseDir = join(import.meta.dirname, 'soak-app');
await createRequire(import.meta.url)(framework).startCluster({ baseDir, framework, workers: 2, port, sticky: false });

answer({
  about: () => ({ port }),
  /** Resolves when Egg has started another one. */
  async killWorker() {
    const [, worker] = Object.values(cluster.workers);
    const replaced = once(cluster, 'listening');
    worker.process.kill('SIGKILL');
    await replaced;
  },
  /** Of the worker that stays. */
  async census() {
    const [worker] = Object.values(cluster.workers);
    return await new Promise(resolve => {
      const take = message => {
        if (message?.action !== 'census') return;
        worker.off('message', take);
        resolve(message.answer);
      };
      worker.on('message', take);
      worker.send({ action: 'census' });
    });
  },
});
