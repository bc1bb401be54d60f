/** What transports have been given to send, and how far they are: private members of Engine.IO, ws and Node, each with its reason. */
import type { Socket as EngineSocket } from 'engine.io';
import { webSocketOf } from './engine-io';
import type { Members } from './members';
import { socketOf } from './ws';

/** `dataReq`, `dataRes` and `shouldClose` are used as well. They exist only while a request is read, or a close waits: a missing one counts as that. */
export const ENGINE_POLLING: Members<{ res: unknown }> = {
  package: 'engine.io',
  owner: 'Polling',
  why: { res: 'an answer to a polled request that nobody reads counts for the limit `backlog`' },
  fallback: 'answers to polled requests that nobody reads stay in memory',
};

/** A packet in Engine.IO's buffer. */
export interface EnginePacket {
  readonly data?: string | ArrayBuffer | ArrayBufferView;
  /** With the frame of a WebSocket that several clients share, if there is one, in one part or two. */
  readonly options?: { readonly wsPreEncodedFrame?: readonly { readonly length: number }[] };
}

/** A response of polling. */
export interface PollResponse {
  readonly writableFinished: boolean;
  readonly destroyed: boolean;
  readonly socket: object | null;
  destroy(): void;
}

/** The connection of an operating system, or what stands for it. */
interface Outlet {
  readonly bytesRead?: number;
  readonly bytesWritten?: number;
  readonly writableLength?: number;
  readonly _handle?: OutletHandle | null;
}

/** Node has declared neither member. `_parent` is there with TLS. */
interface OutletHandle {
  readonly writeQueueSize?: number;
  readonly _parent?: OutletHandle | null;
}

/** The bytes that a WebSocket has not passed to the operating system. 0 for other transports, and for an engine that does not tell. */
export function bytesInWebSocket(connection: EngineSocket): number {
  const { bufferedAmount } = (webSocketOf(connection) ?? {}) as { bufferedAmount?: unknown }; // of any engine
  return typeof bufferedAmount === 'number' ? bufferedAmount : 0;
}

/** The response that a polling client waits for. Undefined if it has not asked, or uses another transport. */
export function pollResponseOf({ transport }: EngineSocket): PollResponse | undefined {
  return (transport as { res?: PollResponse | null }).res ?? undefined; // not declared
}

/** Ends a close of a polling client that waits for its next request, and the timer of that. */
export function endWaitingClose({ transport }: EngineSocket): void {
  const waiting = transport as { shouldClose?: (() => void) | null }; // not declared: what is to be called with the next request
  const { shouldClose } = waiting;
  if (!shouldClose) return;
  waiting.shouldClose = null;
  shouldClose();
}

/** A number that changes whenever bytes of a WebSocket leave. */
export function progressOfWebSocket(connection: EngineSocket): number {
  const socket = socketOf(webSocketOf(connection));
  return socket ? progressOf(socket) : -bytesInWebSocket(connection);
}

/**
 * A number that changes whenever bytes of a message have come. NaN, which differs from itself, while Engine.IO reads a POST, whose time is limited, and
 * while this server does not read.
 */
export function progressOfReading(connection: EngineSocket): number {
  const webSocket = webSocketOf(connection) as { isPaused?: boolean } | undefined; // of ws; another engine may lack it
  if (!webSocket) return (connection.transport as { dataReq?: object | null }).dataReq ? Number.NaN : 0; // not declared
  if (webSocket.isPaused === true) return Number.NaN;
  const socket: Outlet | undefined = socketOf(webSocket);
  return socket?.bytesRead ?? 0;
}

/**
 * A number that changes whenever bytes leave. A large write counts as a whole when it is over, but the operating system takes it in parts: only the
 * handle knows them.
 */
export function progressOf(socket: object | null | undefined): number {
  const { bytesWritten = 0, writableLength = 0, _handle: handle } = (socket ?? {}) as Outlet; // of Node, or the stand-in for a client of another worker
  return bytesWritten - writableLength - (handle?.writeQueueSize ?? 0) - (handle?._parent?.writeQueueSize ?? 0);
}

/** The bytes of a packet. */
export function sizeOf({ data, options }: EnginePacket): number {
  const frame = options?.wsPreEncodedFrame;
  if (frame) return frame.reduce((sum, { length }) => sum + length, 0);
  if (typeof data === 'string') return Buffer.byteLength(data);
  return data?.byteLength ?? 0;
}
