/** What a worker tells of itself, with plain Socket.IO as well as with this plugin. */
import { readFileSync, writeFileSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc'); // Egg decides with which flags its workers start
const gc = runInNewContext('gc');

/** @param sweep removes the namespaces of clients that have gone */
export function answerMaster(io, sweep = () => {}) {
  const questions = {
    memory: async () => {
      for (let i = 0; i < 2; i++) {
        await nextTurn();
        gc();
      }
      const { heapUsed, external, rss } = process.memoryUsage();
      return { held: heapUsed + external, rss };
    },
    /** From now on, the peak counts. Linux only: elsewhere it is that of the process. */
    forgetPeak: () => {
      if (process.platform === 'linux') writeFileSync('/proc/self/clear_refs', '5');
    },
    peak: () => {
      if (process.platform !== 'linux') return process.resourceUsage().maxRSS * 1024;
      return Number(/VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))[1]) * 1024;
    },
    cpu: () => {
      const { user, system } = process.cpuUsage();
      return user + system;
    },
    /** Sends to all attackers, over several turns. */
    broadcast: async (count, bytes) => {
      const text = 'x'.repeat(bytes);
      for (let i = 0; i < count; i++) {
        io.local.to('attackers').emit('news', text + i); // no two are equal
        if (i % 20 === 19) await nextTurn();
      }
    },
    sweep,
  };
  process.on('message', async message => {
    if (message?.action !== 'abuse') return;
    const { id, name, args } = message;
    process.send({ action: 'abuse', to: 'master', id, answer: await questions[name](...args) });
  });
}
