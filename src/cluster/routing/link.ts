/**
 * A connection between two workers for many requests at a time, so that those of one turn of the event loop share a system call. What both ends
 * send are frames: the size of the content and the number of the request, four bytes each, a byte for the kind, and the content.
 */
import type { Duplex } from 'node:stream';

/** The kinds of frames. */
export const FRAME = {
  /** A new request, as `encodeHead` makes it. */
  request: 1,
  /** A part of the request's body; or of its answer, which is text of HTTP/1.1. */
  part: 2,
  /** The body, or the answer, is complete. */
  end: 3,
  /** So many bytes have been taken, as text: as many more may follow. */
  taken: 4,
  /** The client has gone; or there is no more of the answer. */
  gone: 5,
  /** The worker that pipes the WebSocket of a session stops: its client has to move. The content is the session's id; there is no request. */
  move: 6,
  /** The worker that passes requests of a session on stops: one that waits for something to send is to be answered. As above. */
  answer: 7,
} as const;

export type FrameKind = (typeof FRAME)[keyof typeof FRAME];

/** How many bytes of one request or answer may be on their way, so that a slow reader does not fill the other worker's memory. */
const WINDOW = 256 * 1024;

/** The largest part, in bytes: those of other requests come between them. */
const MAX_PART = 64 * 1024;

const HEADER = 9;

export class Link {
  readonly #connection: Duplex;
  readonly #take: (kind: number, id: number, content: Buffer) => void;
  /** To be sent at the end of this turn. */
  #ready: Buffer[] = [];
  /** The beginning of an incomplete frame. */
  #rest: Buffer | undefined;

  constructor(connection: Duplex, take: (kind: number, id: number, content: Buffer) => void) {
    this.#connection = connection;
    this.#take = take;
    connection.on('data', (bytes: Buffer) => this.read(bytes));
  }

  /** @param content a text in latin1 */
  send(kind: FrameKind, id: number, content: Buffer | string = ''): void {
    const size = content.length;
    const frame = Buffer.allocUnsafe(HEADER + size);
    frame.writeUInt32LE(size, 0);
    frame.writeUInt32LE(id, 4);
    frame[8] = kind;
    if (typeof content === 'string') frame.write(content, HEADER, 'latin1');
    else content.copy(frame, HEADER);
    if (this.#ready.push(frame) === 1) setImmediate(this.#flush);
  }

  /** Ends the connection when what is ready has been sent. */
  end(): void {
    this.#flush();
    this.#connection.end(() => this.#connection.destroy());
  }

  read(bytes: Buffer): void {
    const all = this.#rest ? Buffer.concat([this.#rest, bytes]) : bytes;
    let start = 0;
    while (all.length - start >= HEADER) {
      const end = start + HEADER + all.readUInt32LE(start);
      if (end > all.length) break;
      this.#take(all[start + 8] ?? 0, all.readUInt32LE(start + 4), all.subarray(start + HEADER, end));
      start = end;
    }
    this.#rest = start < all.length ? all.subarray(start) : undefined;
  }

  readonly #flush = (): void => {
    const ready = this.#ready;
    this.#ready = [];
    if (ready.length > 0 && this.#connection.writable) this.#connection.write(Buffer.concat(ready));
  };
}

/** Sends the parts of one request or answer, no more than the other end takes. */
export class Parts {
  readonly #link: Link;
  readonly #id: number;
  readonly #onSent: () => void;
  #room = WINDOW;
  #waiting: Buffer | undefined;
  #sent = 0;

  /** @param onSent called when bytes that had to wait have been sent */
  constructor(link: Link, id: number, onSent: () => void) {
    this.#link = link;
    this.#id = id;
    this.#onSent = onSent;
  }

  /** In bytes. */
  get sent(): number {
    return this.#sent;
  }

  /** Returns false if some of the bytes have to wait: no more may follow before `onSent`. */
  send(bytes: Buffer): boolean {
    let rest = bytes;
    while (rest.length > 0 && this.#room > 0) {
      const part = rest.subarray(0, Math.min(this.#room, MAX_PART));
      this.#link.send(FRAME.part, this.#id, part);
      this.#room -= part.length;
      this.#sent += part.length;
      rest = rest.subarray(part.length);
    }
    this.#waiting = rest.length > 0 ? rest : undefined;
    return !this.#waiting;
  }

  /** Takes the content of a frame `taken`. */
  addRoom(content: Buffer): void {
    this.#room += Number(content.toString());
    if (this.#waiting && this.send(this.#waiting)) this.#onSent();
  }
}

/** Tells the other end how much has been taken of what it sends. */
export class Taken {
  readonly #link: Link;
  readonly #id: number;
  #untold = 0;

  constructor(link: Link, id: number) {
    this.#link = link;
    this.#id = id;
  }

  add(bytes: number): void {
    this.#untold += bytes;
    if (this.#untold < WINDOW / 2) return;
    this.#link.send(FRAME.taken, this.#id, String(this.#untold));
    this.#untold = 0;
  }
}
