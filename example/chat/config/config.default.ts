import { join } from 'node:path';
import type { EggAppInfo } from 'egg';
import type { IoConfig } from 'egg-socket.io';

export default ({ baseDir }: EggAppInfo) => {
  const home = join(baseDir, '..'); // baseDir is dist, which every build makes anew

  const io: IoConfig = {
    checkOutgoing: true, // also in production: the load of a chat is small
    init: { connectionStateRecovery: { maxDisconnectionDuration: 2 * 60 * 1000 } },
    namespace: {
      '/chat': {
        connectionMiddleware: ['auth'],
        packetMiddleware: ['throttle'],
        ordered: true, // who comes back joins the rooms again before what waited to be said there is handled
        history: { 'room:*': { size: 50, ttl: 60 * 60 * 1000 } },
        presence: { online: { grace: 2000 } }, // to reload the page takes less
      },
    },
  };

  return {
    io,
    keys: process.env.CHAT_KEYS, // they sign the session cookies; server.ts sees to it that there are some
    cluster: { listen: { hostname: '127.0.0.1' } },
    // the page, and its script, which every build makes anew
    static: { prefix: '/', dirs: [join(home, 'public')], dir: join(baseDir, 'public'), alias: { '/': '/index.html' }, maxAge: 0 },
    logger: { dir: join(home, 'logs'), consoleLevel: 'WARN', disableConsoleAfterReady: false },
    rundir: join(home, 'run'),
  };
};
