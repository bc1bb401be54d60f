/** What one client and this server send each other, in all namespaces together. Counted only for the access log and for metrics. */
import type { Socket as EngineSocket } from 'engine.io';
import type { Socket } from 'socket.io';
import { webSocketOf } from '../internals/engine-io';
import { clientInternals } from '../internals/socket-io';
import { isFrameWriter } from '../internals/ws';

const TRAFFIC = Symbol('traffic');

type CountedConnection = EngineSocket & { [TRAFFIC]?: Traffic };

export class Traffic {
  packetsIn = 0;
  packetsOut = 0;
  /** Those of the packets, without what Engine.IO, WebSocket and HTTP add. */
  bytesIn = 0;
  bytesOut = 0;
  #hasText = false;

  /** A text, or bytes: an attachment, unless the app has a parser that sends no text. */
  receive(message: unknown): void {
    const isText = typeof message === 'string';
    this.#hasText ||= isText;
    if (isText || !this.#hasText) this.packetsIn++;
    this.bytesIn += sizeOf(message);
  }

  /** A packet in text that has not been decoded to a string. */
  receiveText(bytes: number): void {
    this.packetsIn++;
    this.bytesIn += bytes;
  }

  /** A packet in a frame that goes past Engine.IO. */
  sendFrame(frame: Buffer): void {
    this.packetsOut++;
    this.bytesOut += frame.length - headOf(frame) - 1; // 1 for the type of Engine.IO's message
  }

  /** @param frames those of one packet */
  send(frames: readonly unknown[]): void {
    this.packetsOut++;
    for (const frame of frames) this.bytesOut += sizeOf(frame);
  }
}

/** Undefined if nothing is counted. */
export function trafficOf(connection: EngineSocket): Traffic | undefined {
  return (connection as CountedConnection)[TRAFFIC];
}

/** Counts what passes from now on, and returns the counts. */
export function countTraffic(client: Socket['client']): Traffic {
  const connection = client.conn as CountedConnection;
  if (connection[TRAFFIC]) return connection[TRAFFIC];
  const traffic = (connection[TRAFFIC] = new Traffic());
  const internals = clientInternals(client);
  const write = internals.writeToEngine.bind(client);
  Object.assign(client, {
    writeToEngine(frames: readonly unknown[], options: { readonly volatile?: boolean }): void {
      if (!options.volatile || client.conn.transport.writable) traffic.send(frames); // else Socket.IO drops it
      write(frames, options);
    },
  });
  countFrames.call(connection);
  connection.on('upgrade', countFrames);
  // in the place of the only listener: events take another way if somebody else listens, too
  const [deliver, ...others] = connection.listeners('data') as ((data: unknown) => void)[]; // typed as any function
  const isOnly = deliver && others.length === 0;
  if (isOnly) connection.off('data', deliver);
  connection.on('data', data => {
    traffic.receive(data);
    if (isOnly) deliver.call(connection, data);
  });
  return traffic;
}

/** Counts the frames of broadcasts, which go straight to the WebSocket. */
function countFrames(this: CountedConnection): void {
  const webSocket = webSocketOf(this);
  const traffic = this[TRAFFIC];
  if (!traffic || !isFrameWriter(webSocket)) return;
  const write = webSocket.writeFrame.bind(webSocket);
  webSocket.writeFrame = frame => {
    const isTaken = write(frame);
    if (isTaken) traffic.sendFrame(frame);
    return isTaken;
  };
}

/** The bytes of a frame before its content. */
function headOf({ 1: length = 0 }: Buffer): number {
  return length < 126 ? 2 : length === 126 ? 4 : 10;
}

function sizeOf(frame: unknown): number {
  if (typeof frame === 'string') return Buffer.byteLength(frame);
  return (frame as Partial<Uint8Array>).byteLength ?? 0; // of an ArrayBuffer, too
}
