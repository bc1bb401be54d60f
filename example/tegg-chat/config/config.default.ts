import { join } from 'node:path';
import type { EggAppInfo } from 'egg';
import type { IoConfig } from 'egg-socket.io';

export default ({ baseDir }: EggAppInfo) => {
  const home = join(baseDir, '..'); // baseDir is dist, which every build makes anew

  const io: IoConfig = {
    init: { serveClient: true }, // the page has no bundler
    namespace: { '/chat': { connectionMiddleware: ['name'] } },
  };

  return {
    io,
    keys: process.env.CHAT_KEYS, // server.ts sees to it that there are some
    static: { prefix: '/', dir: join(home, 'public'), alias: { '/': '/index.html' }, maxAge: 0 },
    security: { csrf: { enable: false } }, // nobody logs in by a cookie here
    logger: { dir: join(home, 'logs'), consoleLevel: 'WARN', disableConsoleAfterReady: false },
    rundir: join(home, 'run'),
  };
};
