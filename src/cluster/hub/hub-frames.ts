/**
 * What travels between the workers and the hub: frames, each behind its size, the number of the worker that it is for, and that of the one
 * that it is from. Whoever passes them on needs to know no more of them.
 */

/** Bytes before what a frame carries: three numbers of four bytes. */
export const HEADER = 12;

/** The hub, as the one whom a frame is for or from. Workers have the numbers after it. */
export const HUB = 0;

/** All workers but the one that a frame is from. */
export const EVERYONE = 0xffff_ffff;

/** Frames of more bytes are not sent. */
export const MAX_FRAME = 32 * 1024 * 1024;

/** What a worker says first. */
export interface Hello {
  readonly name: string;
  /** Whether it speaks to the others and asks them, but has nobody to tell anything: the agent. */
  readonly onlySpeaks?: boolean;
}

/** What the hub says. */
export type Notice =
  /** To a worker that has said hello: its number, for how many ms the hub has been there, and all others. */
  | { readonly type: 'welcome'; readonly number: number; readonly age: number; readonly peers: readonly (readonly [number, string])[] }
  | { readonly type: 'joined'; readonly number: number; readonly name: string }
  | { readonly type: 'left'; readonly number: number };

/** Frames that lie one behind the other and are for the same: they are passed on as one. */
export interface Run {
  readonly to: number;
  readonly frames: number;
  readonly size: number;
  /** More than one only for a single frame that has come in pieces. */
  readonly bytes: readonly Buffer[];
}

export function writeHeader(buffer: Buffer, offset: number, size: number, to: number, from: number): void {
  buffer.writeUInt32LE(size, offset);
  buffer.writeUInt32LE(to, offset + 4);
  buffer.writeUInt32LE(from, offset + 8);
}

/** A frame to the hub or from it. */
export function controlFrame(to: number, content: Hello | Notice): Run {
  const json = Buffer.from(JSON.stringify(content));
  const header = Buffer.allocUnsafe(HEADER);
  writeHeader(header, 0, json.length, to, HUB);
  const frame = Buffer.concat([header, json]);
  return { to, frames: 1, size: frame.length, bytes: [frame] };
}

/** Calls back with whom each frame of a run is from, and what it carries. */
export function eachFrame({ bytes }: Run, take: (from: number, content: Buffer) => void): void {
  const [first] = bytes;
  const all = bytes.length === 1 && first ? first : Buffer.concat(bytes);
  for (let start = 0; start < all.length;) {
    const end = start + HEADER + all.readUInt32LE(start);
    take(all.readUInt32LE(start + 8), all.subarray(start + HEADER, end));
    start = end;
  }
}

/** Finds the frames in what comes out of a connection. Nothing is copied: large frames stay in the pieces in which they have come. */
export class FrameReader {
  /** The beginning of a frame whose end has not come yet. */
  #pieces: Buffer[] = [];
  /** How many bytes that frame still lacks; unknown while its header has not come. */
  #missing: number | undefined;

  /** @throws RangeError if a frame is too large: then it is none of ours, and nothing after it makes sense */
  read(chunk: Buffer): Run[] {
    const runs: Run[] = [];
    const rest = this.#pieces.length === 0 ? chunk : this.#complete(chunk, runs);
    if (rest) this.#scan(rest, runs);
    return runs;
  }

  /** Adds to the frame that has begun. What comes after it is returned. */
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
    const cut = (): void => {
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
      if (next !== to) cut();
      to = next;
      frames++;
      end += size;
    }
    cut();
    if (end < chunk.length) this.#pieces = [chunk.subarray(end)];
  }
}
