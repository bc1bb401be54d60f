/**
 * The hub: by it broadcasts cross the workers of one machine. It runs in the agent, and each worker has one connection to it, over a Unix domain
 * socket. It passes frames on and knows who is there; what is in the frames it does not look at.
 */
import { randomInt } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import type { Logger } from '../../egg';
import { messageOf } from '../../errors';
import { controlFrame, eachFrame, EVERYONE, FrameReader, type Hello, HUB, type Notice, type Run } from './hub-frames';

/** While more bytes than this wait for a worker, nothing is read from any: what is sent faster than it is taken is held back where it is made. */
const HIGH_WATER = 512 * 1024;

/** But not for longer than this, in ms: a worker that takes nothing off for so long hangs, and must not keep the others waiting. */
const PATIENCE = 1000;

/** A worker that takes off so many bytes in a ms is not what keeps the others waiting, however long its queue: 5 MB a second. */
const FAIR_PACE = 5000;

/** What share of the time a worker that takes off less may keep the others waiting for good. */
const FAIR_SHARE = 0.1;

/** So many bytes wait for a worker that hangs; what comes after them is lost for it. */
const HANGING_QUEUE = 8 * 1024 * 1024;

export class Hub {
  readonly #logger: Logger;
  readonly #server = createServer(socket => this.#accept(socket));
  readonly #connections = new Set<Connection>();
  /** Those that have said hello, by number; those who only speak as well, since answers go to them. */
  readonly #workers = new Map<number, Connection>();
  /** For whom more waits than should. */
  readonly #behind = new Set<Connection>();
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
    for (const { socket } of this.#connections) socket.destroy();
    await closed;
  }

  #accept(socket: Socket): void {
    const connection = new Connection(++this.#lastNumber, socket, this.#logger, isBehind => this.#keepPace(connection, isBehind));
    const reader = new FrameReader();
    this.#connections.add(connection);
    if (this.#behind.size > 0) socket.pause();
    socket.on('data', chunk => {
      try {
        this.#relay(connection, reader.read(chunk));
      } catch (error) {
        this.#logger.error('[egg-socket.io] the hub cannot read what a worker says:', error);
        socket.destroy();
      }
    });
    socket.on('error', () => undefined); // a worker that was killed; `close` follows
    socket.on('close', () => this.#leave(connection));
  }

  /** What has come together leaves together. */
  #relay(from: Connection, runs: Run[]): void {
    for (const { socket } of this.#connections) socket.cork();
    try {
      for (const run of runs) this.#pass(from, run);
    } finally {
      for (const { socket } of this.#connections) socket.uncork();
    }
  }

  #pass(from: Connection, run: Run): void {
    if (run.to === HUB) eachFrame(run, (_number, content) => this.#welcome(from, content));
    else if (from.name === undefined) throw new Error('no hello');
    else if (run.to === EVERYONE) for (const worker of this.#othersThan(from)) worker.send(run);
    else this.#workers.get(run.to)?.send(run);
  }

  *#othersThan(one: Connection): Iterable<Connection> {
    for (const worker of this.#workers.values()) if (worker !== one && !worker.onlySpeaks) yield worker;
  }

  #welcome(connection: Connection, content: Buffer): void {
    const { name, onlySpeaks = false } = JSON.parse(content.toString()) as Hello; // the worker's side of this plugin has written it
    const { number } = connection;
    const peers = [...this.#othersThan(connection)].map(({ number, name }) => [number, String(name)] as const);
    connection.name = name;
    connection.onlySpeaks = onlySpeaks;
    this.#workers.set(number, connection);
    connection.notify({ type: 'welcome', number, age: performance.now() - this.#startedAt, peers });
    if (!onlySpeaks)
      for (const worker of this.#workers.values()) if (worker !== connection) worker.notify({ type: 'joined', number, name });
  }

  #leave(connection: Connection): void {
    this.#connections.delete(connection);
    this.#keepPace(connection, false);
    const { number } = connection;
    if (this.#workers.delete(number)) for (const worker of this.#workers.values()) worker.notify({ type: 'left', number });
  }

  /** Reads from the workers while each of them can take more. One that is killed meanwhile is missed when reading goes on. */
  #keepPace(connection: Connection, isBehind: boolean): void {
    const waited = this.#behind.size > 0;
    if (isBehind) this.#behind.add(connection);
    else this.#behind.delete(connection);
    const waits = this.#behind.size > 0;
    if (waits === waited) return;
    for (const { socket } of this.#connections) {
      if (waits) socket.pause();
      else socket.resume();
    }
  }
}

/** A worker, and what waits for it. */
class Connection {
  name: string | undefined;
  onlySpeaks = false;
  readonly number: number;
  readonly socket: Socket;
  readonly #logger: Logger;
  readonly #onPace: (isBehind: boolean) => void;
  /** Set while the others wait for it. */
  #patience: NodeJS.Timeout | undefined;
  /** When the others have begun to wait for it, or have stopped; and how much had been taken off by then. */
  #since = 0;
  #takenBefore = 0;
  #handed = 0;
  /** For how many ms they have waited in vain. It is forgotten slowly. */
  #debt = 0;
  #hangs = false;
  #lost = 0;

  constructor(number: number, socket: Socket, logger: Logger, onPace: (isBehind: boolean) => void) {
    this.number = number;
    this.socket = socket;
    this.#logger = logger;
    this.#onPace = onPace;
    socket.on('close', () => clearTimeout(this.#patience));
  }

  /** Only what a worker that hangs would wait for too long is lost, and for that worker alone. */
  send(run: Run): void {
    if (this.#hangs && this.socket.writableLength + run.size > HANGING_QUEUE) this.#lose(run.frames);
    else this.#write(run);
  }

  /** Never lost: they are few, and all that follows depends on them. */
  notify(notice: Notice): void {
    this.#write(controlFrame(this.number, notice));
  }

  #write({ bytes }: Run): void {
    const last = bytes.length - 1;
    for (const [index, piece] of bytes.entries()) {
      this.#handed += piece.length;
      this.socket.write(this.#keep(piece), index === last ? this.#onWritten : undefined);
    }
    if (this.socket.writableLength > HIGH_WATER && !this.#hangs) this.#fallBehind();
  }

  /** What has to wait is not to keep in memory the many bytes for others that it has come with. */
  #keep(piece: Buffer): Buffer {
    return this.socket.writableLength > 0 && piece.length * 4 < piece.buffer.byteLength ? Buffer.from(piece) : piece;
  }

  readonly #onWritten = (error?: Error | null): void => {
    if (error || this.socket.writableLength > HIGH_WATER) return; // it is gone, or still behind
    this.#hangs = false;
    this.#catchUp();
  };

  #fallBehind(): void {
    if (this.#patience) return;
    this.#debt = Math.max(0, this.#debt - (performance.now() - this.#since) * FAIR_SHARE);
    this.#waitOn(PATIENCE - this.#debt);
    this.#onPace(true);
  }

  #waitOn(patience: number): void {
    this.#since = performance.now();
    this.#takenBefore = this.#taken;
    this.#patience = setTimeout(() => {
      if (this.#isFair) this.#waitOn(PATIENCE);
      else this.#giveUp();
    }, patience).unref();
  }

  #giveUp(): void {
    this.#hangs = true;
    this.#debt = PATIENCE;
    this.#stopWaiting();
    this.#onPace(false);
  }

  get #taken(): number {
    return this.#handed - this.socket.writableLength;
  }

  /** Whether it has taken off enough since the others wait for it. */
  get #isFair(): boolean {
    return this.#taken - this.#takenBefore >= (performance.now() - this.#since) * FAIR_PACE;
  }

  #catchUp(): void {
    if (this.#patience) this.#debt = this.#isFair ? 0 : this.#debt + performance.now() - this.#since;
    this.#stopWaiting();
    this.#onPace(false);
    if (this.#lost > 0) this.#logger.info('[egg-socket.io] worker %s takes messages again; %d were lost for it', this.name, this.#lost);
    this.#lost = 0;
  }

  #stopWaiting(): void {
    clearTimeout(this.#patience);
    this.#patience = undefined;
    this.#since = performance.now();
  }

  #lose(frames: number): void {
    if (this.#lost === 0) {
      const problem = `worker ${this.name} takes no messages off; what is more than ${HANGING_QUEUE / 1024 / 1024} MB is lost for it until it does`;
      this.#logger.error(messageOf('IO_HUB_OVERFLOW', problem));
    }
    this.#lost += frames;
  }
}
