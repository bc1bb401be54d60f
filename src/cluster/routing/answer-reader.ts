/** Reads an HTTP/1.1 answer from its bytes: https://www.rfc-editor.org/rfc/rfc9112. */

/** The callbacks of `AnswerReader`: `onHead` is called once, `onBody` any number of times, `onEnd` once. */
export interface AnswerHandler {
  onHead(status: number, message: string, headers: string[]): void;
  onBody(bytes: Buffer): void;
  /** @param last the last bytes of the body, if its length was known */
  onEnd(last: Buffer | undefined): void;
  /** The bytes are not an HTTP/1.1 answer. Nothing follows. */
  onInvalid(): void;
}

const CR = 13;

export class AnswerReader {
  readonly #method: string | undefined;
  readonly #handler: AnswerHandler;
  /** The beginning of an incomplete head, or of an incomplete line before a chunk. */
  #part: Buffer | undefined;
  /** The number of missing bytes of the body, or of its chunk. Undefined before the head; infinite if neither its length nor its chunks are known. */
  #missing: number | undefined;
  #isChunked = false;

  /** @param method of the request */
  constructor(method: string | undefined, handler: AnswerHandler) {
    this.#method = method;
    this.#handler = handler;
  }

  get hasHead(): boolean {
    return this.#missing !== undefined;
  }

  /** Whether the body has no length and no chunks: then it is complete when no more comes. */
  get isOpenEnded(): boolean {
    return this.#missing === Number.POSITIVE_INFINITY;
  }

  read(bytes: Buffer): void {
    const all = this.#part ? Buffer.concat([this.#part, bytes]) : bytes;
    this.#part = undefined;
    const body = this.#missing === undefined ? this.#readHead(all) : all;
    if (!body) this.#part = all;
    else if (this.#isChunked) this.#readChunks(body);
    else this.#readBody(body);
  }

  /** Returns the bytes after the head, or undefined if the head is incomplete. */
  #readHead(all: Buffer): Buffer | undefined {
    const end = all.indexOf('\r\n\r\n');
    if (end < 0) return undefined;
    const rest = all.subarray(end + 4);
    const [first = '', ...lines] = all.toString('latin1', 0, end).split('\r\n');
    const status = Number(first.slice(9, 12)); // after "HTTP/1.1 "
    if (status < 200) return this.#readHead(rest); // informational: the final one follows
    if (!(status < 1000)) {
      this.#handler.onInvalid();
      return undefined;
    }
    const headers: string[] = [];
    let length = Number.POSITIVE_INFINITY;
    for (const line of lines) {
      const colon = line.indexOf(':');
      const [name, value] = [line.slice(0, colon), line.slice(colon + 2)]; // Node writes ": "
      headers.push(name, value);
      const key = name.toLowerCase();
      if (key === 'content-length') length = Number(value);
      else if (key === 'transfer-encoding') this.#isChunked = true; // the only encoding that Node sends
    }
    const hasBody = this.#method !== 'HEAD' && status !== 204 && status !== 304;
    this.#isChunked &&= hasBody;
    this.#missing = this.#isChunked || !hasBody ? 0 : length;
    this.#handler.onHead(status, first.slice(13), headers);
    return rest;
  }

  #readBody(bytes: Buffer): void {
    const body = bytes.subarray(0, this.#missing);
    this.#missing = (this.#missing ?? 0) - body.length;
    if (this.#missing === 0) this.#handler.onEnd(body);
    else if (body.length > 0) this.#handler.onBody(body);
  }

  /** https://www.rfc-editor.org/rfc/rfc9112#section-7.1 */
  #readChunks(bytes: Buffer): void {
    let rest = bytes;
    for (;;) {
      const body = rest.subarray(0, this.#missing);
      this.#missing = (this.#missing ?? 0) - body.length;
      if (body.length > 0) this.#handler.onBody(body);
      if (this.#missing > 0) return;
      rest = rest.subarray(body.length);
      const start = rest[0] === CR ? 2 : 0; // the end of the chunk before
      const end = rest.indexOf('\r\n', start);
      const length = end < 0 ? undefined : Number.parseInt(rest.toString('latin1', start, end), 16);
      const last = length === 0 ? rest.indexOf('\r\n\r\n', start) : -1; // the end of the trailer, which is dropped
      if (last >= 0) {
        this.#handler.onEnd(undefined);
        return;
      }
      if (!length) {
        this.#part = rest;
        return;
      }
      this.#missing = length;
      rest = rest.subarray(end + 2);
    }
  }
}
