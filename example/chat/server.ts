/** Starts the app: two workers, and beside them Egg's agent, which has the memory that they share. */
import { randomBytes } from 'node:crypto';
import { startCluster } from 'egg';

const port = Number(process.env.PORT ?? 7001);

// All processes get these: a session that one worker has made is known to the others.
// Without your own they are made at random, and all sessions end when the app is started anew.
process.env.CHAT_KEYS ||= randomBytes(32).toString('hex');

void startCluster({ baseDir: __dirname, port, workers: 2 }).then(() => {
  console.log('The chat listens on http://127.0.0.1:%d (Ctrl-C stops it)', port);
});
