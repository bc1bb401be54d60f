/**
 * The hub: by it broadcasts cross the workers of one machine. It runs in the agent, and each worker has one connection to it, over a Unix domain
 * socket. It passes frames on and knows which workers are there; it does not look at what is in the frames.
 *
 * Back-pressure. A worker that reads more slowly than the others write must neither fill the memory of the agent nor stop the machine. While too
 * much waits for one worker, the hub reads from none: its sockets fill, and what is published waits in the outboxes of the workers that publish.
 * So all go at the pace of the slowest, and nothing is lost. A worker that reads nothing, or very little, may hold the others up for a second, and
 * after that for a tenth of the time (`HubWorker` counts). Then it counts as hanging: the others go on, 8 MB wait for it, and what is more is lost
 * for it alone, with a line of log, until it reads again. The other end is in hub-outbox.ts: more than 32 MB wait for no hub.
 */
import { randomInt } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import type { Logger } from '../../egg';
import { eachFrame, EVERYONE, FrameReader, type Hello, HUB, type Run } from './hub-frames';
import { HubWorker } from './hub-worker';

export class Hub {
  readonly #logger: Logger;
  readonly #server = createServer(socket => this.#accept(socket));
  /** All that are connected. */
  readonly #connected = new Set<HubWorker>();
  /** Those that have said hello, by number. The agent is one, since answers go to it. */
  readonly #workers = new Map<number, HubWorker>();
  /** Those that hold the others up: too much waits for them. */
  readonly #behind = new Set<HubWorker>();
  /** A hub that was killed gave numbers too, and an answer to one of them may come yet: no number is given twice. */
  #lastNumber = randomInt(1, 2 ** 31);
  #startedAt = 0;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** Rejects if the path cannot be listened at. A file that is left there, of a hub that was killed, is removed. */
  async listen(path: string): Promise<void> {
    await rm(path, { force: true });
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(path, () => {
        this.#server.off('error', reject);
        resolve();
      });
    });
    this.#server.on('error', error => this.#logger.error('[egg-socket.io] the hub at %s:', path, error));
    this.#startedAt = performance.now();
  }

  /** Ends all connections. */
  async close(): Promise<void> {
    const closed = new Promise<void>(resolve => this.#server.close(() => resolve()));
    for (const { socket } of this.#connected) socket.destroy();
    await closed;
  }

  #accept(socket: Socket): void {
    const worker = new HubWorker(++this.#lastNumber, socket, this.#logger, isBehind => this.#setBehind(worker, isBehind));
    const reader = new FrameReader();
    this.#connected.add(worker);
    if (this.#behind.size > 0) socket.pause();
    socket.on('data', chunk => {
      try {
        this.#relay(worker, reader.read(chunk));
      } catch (error) {
        this.#logger.error('[egg-socket.io] the hub cannot read what a worker says:', error);
        socket.destroy();
      }
    });
    socket.on('error', () => undefined); // a worker that was killed; `close` follows
    socket.on('close', () => this.#leave(worker));
  }

  /** Frames that have come together leave together. */
  #relay(from: HubWorker, runs: Run[]): void {
    for (const { socket } of this.#connected) socket.cork();
    try {
      for (const run of runs) this.#pass(from, run);
    } finally {
      for (const { socket } of this.#connected) socket.uncork();
    }
  }

  #pass(from: HubWorker, run: Run): void {
    if (run.to === HUB) eachFrame(run, (_number, content) => this.#welcome(from, content));
    else if (from.name === undefined) throw new Error('no hello');
    else if (run.to === EVERYONE) for (const worker of this.#othersThan(from)) worker.send(run);
    else this.#workers.get(run.to)?.send(run);
  }

  *#othersThan(one: HubWorker): Iterable<HubWorker> {
    for (const worker of this.#workers.values()) if (worker !== one && !worker.onlySpeaks) yield worker;
  }

  #welcome(worker: HubWorker, content: Buffer): void {
    const { name, onlySpeaks = false } = JSON.parse(content.toString()) as Hello; // the worker's side of this plugin has written it
    const { number } = worker;
    const peers = [...this.#othersThan(worker)].map(({ number, name }) => [number, String(name)] as const);
    worker.name = name;
    worker.onlySpeaks = onlySpeaks;
    this.#workers.set(number, worker);
    this.#logger.debug('[egg-socket.io] worker %s has joined the hub as number %d', name, number);
    worker.notify({ type: 'welcome', number, age: performance.now() - this.#startedAt, peers });
    if (onlySpeaks) return;
    for (const other of this.#workers.values()) if (other !== worker) other.notify({ type: 'joined', number, name });
  }

  #leave(worker: HubWorker): void {
    this.#connected.delete(worker);
    this.#setBehind(worker, false);
    const { number, name } = worker;
    if (!this.#workers.delete(number)) return;
    this.#logger.debug('[egg-socket.io] worker %s has left the hub', name);
    for (const other of this.#workers.values()) other.notify({ type: 'left', number });
  }

  /** Reads from the workers while none is behind. That one was killed meanwhile is noticed when reading goes on. */
  #setBehind(worker: HubWorker, isBehind: boolean): void {
    const waited = this.#behind.size > 0;
    if (isBehind) this.#behind.add(worker);
    else this.#behind.delete(worker);
    const waits = this.#behind.size > 0;
    if (waits === waited) return;
    for (const { socket } of this.#connected) {
      if (waits) socket.pause();
      else socket.resume();
    }
  }
}
