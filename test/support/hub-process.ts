/**
 * What a test forks: a hub, or a worker with nothing but a server of Socket.IO that floods the others, and counts what it hears of them.
 * hub-process.js hub <path> | worker <path> <name>
 */
import { EventEmitter, once } from 'node:events';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Server, type ServerOptions } from 'socket.io';
import type { Call, Floods, Told } from './forked';
import { Hub, HubBackplane } from './parts';

/** A flooding worker makes no more than this in one turn, and waits while more than that is on its way, in bytes. */
const TURN = 1024 * 1024;
const BACKLOG = 2 * 1024 * 1024;

type Actions = Record<string, (...args: never[]) => unknown>;

const tell = (told: Told): void => void process.send?.(told);

const write =
  (level: string) =>
  (message: string, ...args: unknown[]): void =>
    tell({ level, message, args: args.map(String) });

const logger = { info: write('INFO'), warn: write('WARN'), error: write('ERROR') };

async function hub(path: string): Promise<Actions> {
  await new Hub(logger).listen(path);
  return {};
}

async function worker(path: string, name: string): Promise<Actions> {
  const link = new HubBackplane(path, name, logger);
  // Socket.IO types it as a class only, but takes a factory as well
  const io = new Server({ adapter: link.createAdapter as unknown as NonNullable<ServerOptions['adapter']> });
  const floods: Floods = {};
  const news = new EventEmitter();
  io.on('flood', (from: string, number: number, payload: { length: number }) => {
    const heard = (floods[from] ??= { count: 0, bytes: 0, last: -1, isInOrder: true });
    heard.count++;
    heard.bytes += payload.length;
    heard.isInOrder &&= number > heard.last;
    heard.last = number;
    news.emit(`${from} ${heard.count}`);
  });
  await link.ready();
  return {
    /** Resolves when all has been handed over. */
    async flood(first: number, count: number, size: number) {
      const payload = size < 1_000_000 ? 'x'.repeat(size) : Buffer.alloc(size);
      for (let number = first, turn = 0; number < first + count; number++) {
        io.serverSideEmit('flood', name, number, payload);
        turn += size;
        if (turn < TURN) continue;
        turn = 0;
        do await nextTurn();
        while (link.peers.backlog > BACKLOG);
      }
      while (link.peers.backlog > 0) await nextTurn();
    },
    /** What has been heard of that worker, once it is so many messages. */
    async heard(from: string, count: number) {
      if ((floods[from]?.count ?? 0) < count) await once(news, `${from} ${count}`);
      return floods[from];
    },
    count: async () => io.of('/').adapter.serverCount(),
  };
}

async function main(): Promise<void> {
  const [role, path = '', name = ''] = process.argv.slice(2);
  const actions: Actions = {
    ...(role === 'hub' ? await hub(path) : await worker(path, name)),
    /** The most memory that this process has ever had, in MB. */
    peak: () => process.resourceUsage().maxRSS / 1024,
  };
  process.on('message', ({ id, action, args }: Call) => {
    const act = actions[action] as (...args: unknown[]) => unknown; // the test's side calls it with what it takes
    Promise.resolve(act(...args)).then(
      result => tell({ id, result }),
      (error: unknown) => tell({ id, error: String(error) }),
    );
  });
  process.on('disconnect', () => process.exit());
  tell({ isReady: true });
}

main().catch((error: unknown) => {
  console.error(error);
  process.exit(1);
});
