/**
 * A worker's queue of messages for the hub. The messages of one turn of the event loop leave together. An emit cannot be made to wait, so messages
 * are dropped while the queue is full, with a line of log at the beginning and at the end.
 */
import type { Socket } from 'node:net';
import type { Logger } from '../../egg';
import { messageOf } from '../../errors';
import { type Content, HEADER, MAX_FRAME, writeHeader } from './hub-frames';

/** The most bytes to queue for the hub: the size of the largest message. */
const MAX_QUEUE = MAX_FRAME;

/** The number of bytes that are allocated at once, for many messages. */
const SLAB = 64 * 1024;

export class HubOutbox {
  readonly #socket: Socket;
  readonly #number: number;
  readonly #logger: Logger;
  /** Holds small messages one after the other. Those before `#start` have been added to `#ready`. */
  #slab = Buffer.allocUnsafeSlow(SLAB);
  #start = 0;
  #end = 0;
  /** Buffers to send before those in the slab. */
  #ready: Buffer[] = [];
  /** The number of bytes that have not been written to the socket. */
  #unsent = 0;
  #isScheduled = false;
  #dropped = 0;

  /** @param number this worker's number, assigned by the hub */
  constructor(socket: Socket, number: number, logger: Logger) {
    this.#socket = socket;
    this.#number = number;
    this.#logger = logger;
  }

  /** The number of queued bytes. */
  get size(): number {
    return this.#unsent + this.#socket.writableLength;
  }

  /** Queues a message. Returns false if it was dropped. */
  push(to: number, message: Content): boolean {
    const size = HEADER + message.size;
    if (message.size > MAX_FRAME || this.size + size > MAX_QUEUE) return this.#drop();
    const [buffer, start] = size > SLAB / 4 ? [this.#newBuffer(size), 0] : this.#place(size);
    writeHeader(buffer, start, message.size, to, this.#number);
    message.writeTo(buffer, start + HEADER);
    this.#unsent += size;
    if (!this.#isScheduled) {
      this.#isScheduled = true;
      setImmediate(() => this.flush());
    }
    return true;
  }

  flush(): void {
    this.#isScheduled = false;
    if (this.#unsent === 0) return;
    this.#endSlice();
    const ready = this.#ready;
    this.#ready = [];
    this.#unsent = 0;
    const last = ready.length - 1;
    this.#socket.cork();
    for (const [index, buffer] of ready.entries()) this.#socket.write(buffer, index === last ? this.#onWritten : undefined);
    this.#socket.uncork();
  }

  #newBuffer(size: number): Buffer {
    this.#endSlice();
    const buffer = Buffer.allocUnsafeSlow(size);
    this.#ready.push(buffer);
    return buffer;
  }

  #place(size: number): [slab: Buffer, start: number] {
    if (this.#end + size > this.#slab.length) {
      this.#endSlice();
      this.#slab = Buffer.allocUnsafeSlow(SLAB);
      this.#start = this.#end = 0;
    }
    const start = this.#end;
    this.#end += size;
    return [this.#slab, start];
  }

  /** Adds the messages in the slab to `#ready`. Slabs are never overwritten, since the socket may not have sent them yet. */
  #endSlice(): void {
    if (this.#end > this.#start) this.#ready.push(this.#slab.subarray(this.#start, this.#end));
    this.#start = this.#end;
  }

  #drop(): false {
    if (this.#dropped++ === 0) {
      const problem = `more than ${MAX_QUEUE / 1024 / 1024} MB are queued for the hub, or one message is larger; messages are lost to other workers until the queue is shorter`;
      this.#logger.error(messageOf('IO_HUB_OVERFLOW', problem));
    }
    return false;
  }

  readonly #onWritten = (): void => {
    if (this.#dropped === 0 || this.#socket.writableLength > MAX_QUEUE / 2) return;
    this.#logger.info('[egg-socket.io] the hub reads messages again; %d did not reach other workers', this.#dropped);
    this.#dropped = 0;
  };
}
