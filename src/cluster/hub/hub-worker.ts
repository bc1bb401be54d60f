/** A worker as the hub sees it: the frames that wait for it, and whether it reads them fast enough not to hold the others up. */
import type { Socket } from 'node:net';
import type { Logger } from '../../egg';
import { messageOf } from '../../errors';
import { controlFrame, type Notice, type Run } from './hub-frames';

/** Bytes. While more wait for a worker, it is behind: the hub reads from nobody. */
const HIGH_WATER = 512 * 1024;

/** How long a worker that is behind may hold the others up, in ms. Then it counts as hanging. */
const HOLD_TIMEOUT = 1000;

/** Bytes per ms (5 MB/s). A worker that reads this fast is not what holds the others up, however long its queue. */
const FAST_ENOUGH = 5000;

/** The share of the time for which a slower worker may hold the others up in the long run. */
const HOLD_SHARE = 0.1;

/** Bytes that wait for a worker that hangs; what comes after them is lost for it. */
const MAX_QUEUE = 8 * 1024 * 1024;

export class HubWorker {
  /** There once it has said hello. */
  name: string | undefined;
  /** Whether it gets replies only: the agent. */
  onlySpeaks = false;
  readonly number: number;
  readonly socket: Socket;
  readonly #logger: Logger;
  readonly #onBehind: (isBehind: boolean) => void;
  /** Set while it holds the others up. */
  #timer: NodeJS.Timeout | undefined;
  /** When it began to hold the others up, or stopped; and how many bytes it had read by then. */
  #since = 0;
  #readBefore = 0;
  #written = 0;
  /** For how many ms it has held the others up. It goes down slowly while it does not. */
  #heldFor = 0;
  #hangs = false;
  #lost = 0;

  /** @param onBehind called when it falls behind, and when it no longer holds the others up */
  constructor(number: number, socket: Socket, logger: Logger, onBehind: (isBehind: boolean) => void) {
    this.number = number;
    this.socket = socket;
    this.#logger = logger;
    this.#onBehind = onBehind;
    socket.on('close', () => clearTimeout(this.#timer));
  }

  /** A run is lost only where the worker hangs and its queue is full. */
  send(run: Run): void {
    if (this.#hangs && this.socket.writableLength + run.size > MAX_QUEUE) this.#lose(run.frames);
    else this.#write(run);
  }

  /** Never lost: notices are few, and all that follows depends on them. */
  notify(notice: Notice): void {
    this.#write(controlFrame(this.number, notice));
  }

  #write({ bytes }: Run): void {
    const last = bytes.length - 1;
    for (const [index, piece] of bytes.entries()) {
      this.#written += piece.length;
      this.socket.write(this.#onItsOwn(piece), index === last ? this.#onWritten : undefined);
    }
    if (this.socket.writableLength > HIGH_WATER && !this.#hangs) this.#fallBehind();
  }

  /** A piece that has to wait must not keep the whole chunk in memory that it has come in. */
  #onItsOwn(piece: Buffer): Buffer {
    return this.socket.writableLength > 0 && piece.length * 4 < piece.buffer.byteLength ? Buffer.from(piece) : piece;
  }

  readonly #onWritten = (error?: Error | null): void => {
    if (error || this.socket.writableLength > HIGH_WATER) return; // it is gone, or still behind
    this.#hangs = false;
    this.#catchUp();
  };

  #fallBehind(): void {
    if (this.#timer) return;
    this.#heldFor = Math.max(0, this.#heldFor - (performance.now() - this.#since) * HOLD_SHARE);
    this.#holdOthers(HOLD_TIMEOUT - this.#heldFor);
    this.#onBehind(true);
  }

  #holdOthers(timeout: number): void {
    this.#since = performance.now();
    this.#readBefore = this.#read;
    this.#timer = setTimeout(() => {
      if (this.#isFastEnough) this.#holdOthers(HOLD_TIMEOUT);
      else this.#giveUp();
    }, timeout).unref();
  }

  #giveUp(): void {
    this.#hangs = true;
    this.#heldFor = HOLD_TIMEOUT;
    this.#releaseOthers();
  }

  /** How many bytes it has read. */
  get #read(): number {
    return this.#written - this.socket.writableLength;
  }

  /** Whether it has read enough since it began to hold the others up. */
  get #isFastEnough(): boolean {
    return this.#read - this.#readBefore >= (performance.now() - this.#since) * FAST_ENOUGH;
  }

  #catchUp(): void {
    if (this.#timer) this.#heldFor = this.#isFastEnough ? 0 : this.#heldFor + performance.now() - this.#since;
    this.#releaseOthers();
    if (this.#lost > 0) this.#logger.info('[egg-socket.io] worker %s takes messages again; %d were lost for it', this.name, this.#lost);
    this.#lost = 0;
  }

  #releaseOthers(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#since = performance.now();
    this.#onBehind(false);
  }

  #lose(frames: number): void {
    if (this.#lost === 0) {
      const problem = `worker ${this.name} takes no messages off; what is more than ${MAX_QUEUE / 1024 / 1024} MB is lost for it until it does`;
      this.#logger.error(messageOf('IO_HUB_OVERFLOW', problem));
    }
    this.#lost += frames;
  }
}
