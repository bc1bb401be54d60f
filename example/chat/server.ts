/** Starts the app: one worker, since this chat keeps what it knows in the memory of one. */
import { startCluster } from 'egg';

const port = Number(process.env.PORT ?? 7001);

void startCluster({ baseDir: __dirname, port, workers: 1 }).then(() => {
  console.log('The chat listens on http://127.0.0.1:%d (Ctrl-C stops it)', port);
});
