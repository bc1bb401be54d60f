/** WebSocket frames (RFC 6455), as cheap as they can be. */

/** Clients have to mask; servers unmask byte by byte, whatever the mask is. */
const MASK = Buffer.from([0x37, 0xfa, 0x21, 0x9d]);

/** A frame of a client: text for a string, binary for a buffer. */
export function frame(content) {
  const payload = Buffer.from(content);
  const length = payload.length < 126 ? [0x80 | payload.length] : [0x80 | 126, payload.length >> 8, payload.length & 0xff];
  if (payload.length > 0xffff) throw new Error('no frame of ours is longer than 64 kB');
  const masked = payload.map((byte, i) => byte ^ MASK[i & 3]);
  return Buffer.concat([Buffer.from([0x80 | (typeof content === 'string' ? TEXT : BINARY), ...length]), MASK, masked]);
}

export const TEXT = 1;
export const BINARY = 2;

/** Finds the frames of a server in what comes from it. */
export class FrameReader {
  #onFrame;
  #rest;

  /** @param onFrame called with opcode, buffer, start and end; the buffer is reused after the call */
  constructor(onFrame) {
    this.#onFrame = onFrame;
  }

  read(chunk) {
    const data = this.#rest === undefined ? chunk : Buffer.concat([this.#rest, chunk]);
    let at = 0;
    while (data.length - at >= 2) {
      let length = data[at + 1] & 0x7f;
      let start = at + 2;
      if (length === 126) {
        if (data.length < at + 4) break;
        length = data.readUInt16BE(at + 2);
        start = at + 4;
      } else if (length === 127) {
        if (data.length < at + 10) break;
        length = Number(data.readBigUInt64BE(at + 2));
        start = at + 10;
      }
      if (data.length < start + length) break;
      this.#onFrame(data[at] & 0x0f, data, start, start + length);
      at = start + length;
    }
    this.#rest = at === data.length ? undefined : Buffer.from(data.subarray(at));
  }
}
