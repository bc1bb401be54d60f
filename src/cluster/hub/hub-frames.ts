/**
 * The frames between workers and hub. A frame begins with its size, the number of the receiving worker, and that of the sending one;
 * the hub needs nothing else to forward it.
 */

/** The size of a frame's header in bytes: three numbers of four bytes. */
export const HEADER = 12;

/** The hub's number, as a receiver or sender of frames. The numbers of workers are larger. */
export const HUB = 0;

/** The receiver's number for all workers except the sender. */
export const EVERYONE = 0xffff_ffff;

/** The same for an event of a room with history, which the agent first gives its position. */
export const NUMBERED = 0xffff_fffe;

/** The largest content of a frame, in bytes. */
export const MAX_FRAME = 32 * 1024 * 1024;

/** The first frame of a worker. */
export interface Hello {
  readonly name: string;
  /** Whether it sends messages and receives replies, but no messages of others, like the agent, which has no clients. */
  readonly isSendOnly?: boolean;
}

/** A question of a worker to the agent. */
export interface Question {
  readonly type: 'ask';
  readonly id: number;
  readonly kind: string;
  readonly request: unknown;
  /** False if the reply may come a little later. Default: true. */
  readonly isAwaited?: boolean;
}

/** The head of an event to the other workers that is to get its position: the reply to the question. */
export interface Publication extends Question {
  readonly event: object;
}

/** The reply to a question. */
export interface Reply {
  readonly type: 'reply';
  /** The id of the question. */
  readonly id: number;
  readonly value?: unknown;
  /** The reason if there is none. */
  readonly error?: string;
}

/** The frames that the hub itself sends. */
export type Notice =
  | Reply
  /** The reply to a hello: the worker's number, the age of the hub in ms, and all other workers. */
  | { readonly type: 'welcome'; readonly number: number; readonly age: number; readonly peers: readonly (readonly [number, string])[] }
  | { readonly type: 'joined'; readonly number: number; readonly name: string }
  | { readonly type: 'left'; readonly number: number }
  /** Messages of others to this worker were lost, since it did not read them. */
  | { readonly type: 'lost' };

/** What a frame has after its header. Its size is known before it is written. */
export interface Content {
  readonly size: number;
  writeTo(buffer: Buffer, start: number): void;
}

/** Consecutive frames for the same receiver, which are forwarded together. */
export interface Run {
  readonly to: number;
  readonly frames: number;
  readonly size: number;
  /** Several buffers only for a single frame that arrived in pieces. */
  readonly bytes: readonly Buffer[];
}

export function writeHeader(buffer: Buffer, offset: number, size: number, to: number, from: number): void {
  buffer.writeUInt32LE(size, offset);
  buffer.writeUInt32LE(to, offset + 4);
  buffer.writeUInt32LE(from, offset + 8);
}

/** A frame to the hub, or from the hub itself. */
export function controlFrame(to: number, content: Hello | Notice): Run {
  const json = JSON.stringify(content);
  const size = Buffer.byteLength(json);
  const frame = Buffer.allocUnsafe(HEADER + size);
  writeHeader(frame, 0, size, to, HUB);
  frame.write(json, HEADER);
  return { to, frames: 1, size: frame.length, bytes: [frame] };
}

/** A frame with a message of one worker to others. */
export function messageFrame(to: number, from: number, content: Content): Run {
  const frame = Buffer.allocUnsafe(HEADER + content.size);
  writeHeader(frame, 0, content.size, to, from);
  content.writeTo(frame, HEADER);
  return { to, frames: 1, size: frame.length, bytes: [frame] };
}

/** The content of a frame to the hub. */
export function jsonContent(content: Question): Content {
  const json = JSON.stringify(content);
  return { size: Buffer.byteLength(json), writeTo: (buffer, start) => void buffer.write(json, start) };
}

/** Calls back with the sender and the content of each frame of a run. */
export function eachFrame({ bytes }: Run, take: (from: number, content: Buffer) => void): void {
  const [first] = bytes;
  const all = bytes.length === 1 && first ? first : Buffer.concat(bytes);
  for (let start = 0; start < all.length;) {
    const end = start + HEADER + all.readUInt32LE(start);
    take(all.readUInt32LE(start + 8), all.subarray(start + HEADER, end));
    start = end;
  }
}

/** Splits the data of a connection into frames. Nothing is copied: large frames stay in the pieces in which they arrived. */
export class FrameReader {
  /** The beginning of an incomplete frame. */
  #pieces: Buffer[] = [];
  /** The number of missing bytes of that frame. Undefined while its header is incomplete. */
  #missing: number | undefined;

  /** @throws RangeError if a frame is too large: it cannot be one of ours, and the rest of the data is unusable */
  read(chunk: Buffer): Run[] {
    const runs: Run[] = [];
    const rest = this.#pieces.length === 0 ? chunk : this.#complete(chunk, runs);
    if (rest) this.#scan(rest, runs);
    return runs;
  }

  /** Adds to the incomplete frame. Returns the bytes after it. */
  #complete(chunk: Buffer, runs: Run[]): Buffer | undefined {
    const pieces = this.#pieces;
    if (this.#missing === undefined) {
      this.#pieces = [];
      return Buffer.concat([...pieces, chunk]);
    }
    if (chunk.length < this.#missing) {
      pieces.push(chunk);
      this.#missing -= chunk.length;
      return undefined;
    }
    pieces.push(chunk.subarray(0, this.#missing));
    const rest = chunk.subarray(this.#missing);
    this.#pieces = [];
    this.#missing = undefined;
    const size = pieces.reduce((sum, piece) => sum + piece.length, 0);
    runs.push({ to: pieces[0]?.readUInt32LE(4) ?? HUB, frames: 1, size, bytes: pieces }); // the first piece has the header
    return rest;
  }

  #scan(chunk: Buffer, runs: Run[]): void {
    let start = 0; // of the run
    let end = 0; // of its last frame so far
    let frames = 0;
    let to = HUB;
    const endRun = (): void => {
      if (frames > 0) runs.push({ to, frames, size: end - start, bytes: [chunk.subarray(start, end)] });
      start = end;
      frames = 0;
    };
    while (chunk.length - end >= HEADER) {
      const size = HEADER + chunk.readUInt32LE(end);
      if (size > HEADER + MAX_FRAME) throw new RangeError(`a frame of ${size} bytes`);
      if (chunk.length - end < size) {
        this.#missing = size - (chunk.length - end);
        break;
      }
      const next = chunk.readUInt32LE(end + 4);
      if (next !== to) endRun();
      to = next;
      frames++;
      end += size;
    }
    endRun();
    if (end < chunk.length) this.#pieces = [chunk.subarray(end)];
  }
}
