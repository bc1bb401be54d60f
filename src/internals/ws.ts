/** Engine.IO's copy of ws, and the private members of ws: each with its reason. */
import type { Socket as EngineSocket } from 'engine.io';
import type * as Ws from 'ws';
import type { Members, Specimens } from './members';
import { requireThrough } from './require-through';

/** Another copy may be older, and lack limits that Engine.IO relies on. */
export const { WebSocket, WebSocketServer } = requireThrough('socket.io', 'engine.io')('ws') as typeof Ws;

/** The part of ws that writes frames, both for `send()` and for the prepared frames of a broadcast. */
export interface SenderInternals {
  sendFrame(frame: readonly [head: Buffer, data?: Buffer | string], sent?: (error?: Error | null) => void): void;
}

/** A WebSocket that takes whole frames. */
export interface FrameWriter {
  /** Sends a frame at the end of the tick. Returns false where it has not taken it: the connection is closing, or the client is behind. */
  writeFrame(frame: Buffer): boolean;
}

/** Is told of WebSockets whose clients do not keep up. `connection` is the one of Engine.IO. */
export interface BacklogWatch {
  /** A frame of more bytes does not count as sent before it has left. */
  readonly largeFrame: number;
  /** Called before each frame that has to wait, since the operating system has not taken the ones before, or it is large itself. */
  onBehind(connection: EngineSocket, bytes: number): void;
}

/** A WebSocket that tells when its client does not keep up. */
export interface Watchable {
  /** Returns false if it cannot tell. */
  watch(watch: BacklogWatch, connection: EngineSocket): boolean;
}

/** A WebSocket that holds frames back until the end of the tick. */
export interface Corked {
  /** Sends these at once. */
  uncork(): void;
}

export const WS_SOCKET: Members<{ _sender: unknown; _socket: unknown }> = {
  package: 'ws',
  owner: 'WebSocket',
  why: {
    _sender: 'the frames of one tick are sent in one system call',
    _socket: 'tells a client that reads slowly from one that does not read, and is written to when the tick ends',
  },
  fallback: 'each frame is sent in a system call of its own',
};

export const WS_SENDER: Members<SenderInternals> = {
  package: 'ws',
  owner: 'Sender',
  why: { sendFrame: 'writes each frame: those of one tick are sent in one system call' },
  fallback: 'each frame is sent in a system call of its own',
};

/** Objects for the boot's check. */
export function webSocketSpecimens(): Specimens {
  const Specimen = WebSocket as unknown as new (address: null, protocols: undefined, options: object) => Ws.WebSocket; // the signature for WebSockets of a server
  const { Sender } = WebSocket as unknown as { Sender?: { prototype: object } }; // exported, but not declared
  return [
    [WS_SOCKET, new Specimen(null, undefined, {})],
    [WS_SENDER, Sender?.prototype],
  ];
}

export function isFrameWriter(webSocket: unknown): webSocket is FrameWriter {
  return typeof (webSocket as Partial<FrameWriter> | undefined)?.writeFrame === 'function'; // of any engine
}

export function isWatchable(webSocket: unknown): webSocket is Watchable {
  return typeof (webSocket as Partial<Watchable> | undefined)?.watch === 'function'; // of any engine
}

export function isCorked(webSocket: unknown): webSocket is Corked {
  return typeof (webSocket as Partial<Corked> | undefined)?.uncork === 'function'; // of any engine
}

/** The connection of the operating system below a WebSocket. Undefined if its engine does not show it. */
export function socketOf(webSocket: unknown): object | undefined {
  return (webSocket as { _socket?: object | null } | undefined)?._socket ?? undefined; // private
}

/** The sender of a WebSocket. Undefined if ws lacks it. */
export function senderOf(webSocket: object): SenderInternals | undefined {
  const { _sender: sender } = webSocket as { _sender?: Partial<SenderInternals> | null }; // private
  return typeof sender?.sendFrame === 'function' ? (sender as SenderInternals) : undefined;
}
