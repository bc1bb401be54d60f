/** Starts the app in one process: `npm run start:tegg` in the root folder of the repository. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { start } from 'egg';

const port = Number(process.env.PORT ?? 7001);
process.env.CHAT_KEYS ||= randomBytes(32).toString('hex');

const app = await start({ baseDir: import.meta.dirname });
const handle = app.callback();
const server = createServer((request, response) => void handle(request, response)); // it answers with errors, too
app.emit('server', server); // as a worker of Egg does
await once(server.listen(port, '127.0.0.1'), 'listening');
console.log('The chat listens on http://127.0.0.1:%d (Ctrl-C stops it)', port);

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  process.once(signal, () => {
    void app.close().then(() => process.exit());
  });
