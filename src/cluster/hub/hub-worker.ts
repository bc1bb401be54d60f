/** The hub's view of a worker: its queue of frames, and whether it reads them fast enough not to delay the others. */
import type { Socket } from 'node:net';
import type { Logger } from '../../egg';
import { messageOf } from '../../errors';
import { controlFrame, type Notice, type Run } from './hub-frames';

/** In bytes. A worker with a longer queue is behind: the hub stops reading from all workers. */
const HIGH_WATER = 512 * 1024;

/** Time in ms for which a worker may delay the others. After that it counts as hanging. */
const MAX_DELAY = 1000;

/** Bytes per ms (5 MB/s). A worker that reads this fast is not the bottleneck, however long its queue. */
const FAST_ENOUGH = 5000;

/** The share of the time for which a slower worker may delay the others in the long run. */
const DELAY_SHARE = 0.1;

/** The most bytes to queue for a hanging worker. Further messages are lost for it. */
const MAX_QUEUE = 8 * 1024 * 1024;

/** Time in ms after which a notice leaves that nobody waits for. */
const HOLDING_TIME = 20;

export class HubWorker {
  /** Set once it has sent its hello. */
  name: string | undefined;
  /** Whether it receives replies only, like the agent. */
  isSendOnly = false;
  readonly number: number;
  readonly socket: Socket;
  readonly #logger: Logger;
  readonly #onBehind: (isBehind: boolean) => void;
  /** Set while it delays the others. */
  #timer: NodeJS.Timeout | undefined;
  /** The time when it began or stopped to delay the others, and the bytes that it had read by then. */
  #since = 0;
  #readBefore = 0;
  #written = 0;
  /** Time in ms for which it has delayed the others. Decreases slowly while it does not. */
  #delay = 0;
  #hangs = false;
  #lost = 0;
  /** Notices that nobody waits for. */
  readonly #held: Buffer[] = [];
  /** Set while there are some. */
  #holding: NodeJS.Timeout | undefined;

  /** @param onBehind called when it falls behind, and when it no longer delays the others: it has read enough, hangs, or has gone */
  constructor(number: number, socket: Socket, logger: Logger, onBehind: (isBehind: boolean) => void) {
    this.number = number;
    this.socket = socket;
    this.#logger = logger;
    this.#onBehind = onBehind;
    socket.on('close', () => {
      clearTimeout(this.#holding);
      this.#releaseOthers();
    });
  }

  /** Queues frames. They are lost only if the worker hangs and its queue is full. */
  send(run: Run): void {
    if (this.#hangs && this.socket.writableLength + run.size > MAX_QUEUE) this.#lose(run.frames);
    else this.#write(run);
  }

  /** Queues a notice. Notices are never lost: they are few, or the worker itself has asked for them, and later messages depend on them. */
  notify(notice: Notice): void {
    this.#write(controlFrame(this.number, notice));
  }

  /** The same for one that nobody waits for. It leaves with the next frame, or soon: the worker does not wake up for each. */
  notifyLater(notice: Notice): void {
    this.#held.push(...controlFrame(this.number, notice).bytes);
    this.#holding ??= setTimeout(() => this.#release(), HOLDING_TIME).unref();
  }

  #release(): void {
    clearTimeout(this.#holding);
    this.#holding = undefined;
    this.#writeAll([Buffer.concat(this.#held.splice(0))]);
  }

  #write({ bytes }: Run): void {
    if (this.#holding) this.#release(); // the order holds
    this.#writeAll(bytes);
  }

  #writeAll(bytes: readonly Buffer[]): void {
    const last = bytes.length - 1;
    for (const [index, piece] of bytes.entries()) {
      this.#written += piece.length;
      this.socket.write(this.#detached(piece), index === last ? this.#onWritten : undefined);
    }
    if (this.socket.writableLength > HIGH_WATER && !this.#hangs) this.#fallBehind();
  }

  /** Copies a small piece that has to wait, so that it does not keep the chunk that it arrived in in memory. */
  #detached(piece: Buffer): Buffer {
    return this.socket.writableLength > 0 && piece.length * 4 < piece.buffer.byteLength ? Buffer.from(piece) : piece;
  }

  readonly #onWritten = (error?: Error | null): void => {
    if (error || this.socket.writableLength > HIGH_WATER) return; // gone, or still behind
    this.#hangs = false;
    this.#catchUp();
  };

  #fallBehind(): void {
    if (this.#timer) return;
    this.#delay = Math.max(0, this.#delay - (performance.now() - this.#since) * DELAY_SHARE);
    this.#delayOthers(MAX_DELAY - this.#delay);
    this.#onBehind(true);
  }

  #delayOthers(timeout: number): void {
    this.#since = performance.now();
    this.#readBefore = this.#read;
    this.#timer = setTimeout(() => {
      if (this.#isFastEnough) this.#delayOthers(MAX_DELAY);
      else this.#giveUp();
    }, timeout).unref();
  }

  #giveUp(): void {
    this.#hangs = true;
    this.#delay = MAX_DELAY;
    this.#releaseOthers();
  }

  /** The number of bytes that it has read. */
  get #read(): number {
    return this.#written - this.socket.writableLength;
  }

  /** Whether it has read enough since it began to delay the others. */
  get #isFastEnough(): boolean {
    return this.#read - this.#readBefore >= (performance.now() - this.#since) * FAST_ENOUGH;
  }

  #catchUp(): void {
    if (this.#timer) this.#delay = this.#isFastEnough ? 0 : this.#delay + performance.now() - this.#since;
    this.#releaseOthers();
    if (this.#lost === 0) return;
    this.#logger.info('[egg-socket.io] worker %s reads its messages again; lost meanwhile: %d', this.name, this.#lost);
    this.#lost = 0;
    this.notify({ type: 'lost' });
  }

  #releaseOthers(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#since = performance.now();
    this.#onBehind(false);
  }

  #lose(frames: number): void {
    if (this.#lost === 0) {
      const problem = `worker ${this.name} does not read its messages; until it does, it loses all messages beyond ${MAX_QUEUE / 1024 / 1024} MB`;
      this.#logger.error(messageOf('IO_HUB_OVERFLOW', problem));
    }
    this.#lost += frames;
  }
}
