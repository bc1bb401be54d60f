/**
 * Broadcasts that are framed once. A WebSocket of this plugin with nothing waiting gets the frame itself: what Engine.IO does for a packet, such as
 * its queue, callbacks and events, costs more than all the rest of a broadcast. Everybody else gets the packet the usual way.
 */
import type { Server as EngineServer } from 'engine.io';
import type { Namespace, Socket } from 'socket.io';
import type { Adapter, BroadcastOptions } from 'socket.io-adapter';
import { adapterInternals, FRAMING_ADAPTER, type FramingOptions } from '../../internals/adapters';
import { idleWebSocketOf } from '../../internals/engine-io';
import { hasMembers } from '../../internals/members';
import { isFrameWriter } from '../../internals/ws';
import type { Event } from '../packet-codec';

const TEXT = 0x81; // https://www.rfc-editor.org/rfc/rfc6455#section-5.2, as all of a message
const MESSAGE = 0x34; // https://github.com/socketio/engine.io-protocol#packet-encoding

/** What is being broadcast: one text. */
interface Broadcast {
  readonly text: string;
  readonly options: FramingOptions;
  /** Whether a frame may pass Engine.IO by. */
  readonly isDirect: boolean;
}

export function frameOnce(adapter: Adapter, nsp: Namespace): void {
  const inside: object = adapter; // which declares some of them as private
  if (!hasMembers(FRAMING_ADAPTER, inside)) return; // the boot has told
  const internals = adapterInternals(adapter);
  const apply = inside.apply.bind(adapter);
  /** Set between the two calls below, which the adapter makes for a broadcast, one right after the other. */
  let broadcast: Broadcast | undefined;
  Object.assign(adapter, {
    _encode(packet: Event, options: FramingOptions): readonly unknown[] {
      broadcast = undefined;
      const frames = internals.encoder.encode(packet) as readonly unknown[]; // those of all parsers are lists
      if (adapter.sids.size === 0) return frames; // while the app starts, there is no engine either
      const [text] = frames;
      if (frames.length === 1 && typeof text === 'string') broadcast = broadcastOf(text, packet, options, nsp.server.engine);
      return frames;
    },

    apply(opts: BroadcastOptions, deliver: (socket: Socket) => void): void {
      if (!broadcast) {
        apply(opts, deliver);
        return;
      }
      const { text, options, isDirect } = broadcast;
      broadcast = undefined;
      let frame: Buffer | undefined;
      apply(opts, socket => {
        if (!frame) options.wsPreEncodedFrame = [(frame = frameOf(text))];
        if (!isDirect || !writeTo(socket, frame)) deliver(socket);
      });
    },
  });
}

/** Undefined where it is not framed once: without clients, as in the agent, or since each WebSocket compresses for itself. */
function broadcastOf(text: string, { id }: Event, options: FramingOptions, engine: EngineServer | undefined): Broadcast | undefined {
  if (!engine || engine.opts.perMessageDeflate) return undefined;
  // the usual way notes down who is to acknowledge, leaves out volatile ones, and tells those who listen
  const isDirect = id === undefined && !options.volatile && engine.listenerCount('flush') === 0 && engine.listenerCount('drain') === 0;
  return { text, options, isDirect };
}

/** Returns whether the socket's WebSocket has taken the frame. */
function writeTo(socket: Socket, frame: Buffer): boolean {
  const webSocket = idleWebSocketOf(socket.conn);
  return isFrameWriter(webSocket) && socket.listenersAnyOutgoing().length === 0 && webSocket.writeFrame(frame);
}

/** The frame of a WebSocket, with a message of Engine.IO in it. */
function frameOf(text: string): Buffer {
  const length = 1 + Buffer.byteLength(text);
  const head = length < 126 ? 2 : length < 65_536 ? 4 : 10;
  const frame = Buffer.allocUnsafe(head + length);
  frame[0] = TEXT;
  if (head === 2) frame[1] = length;
  else if (head === 4) frame.writeUInt16BE(length, frame.writeUInt8(126, 1));
  else frame.writeBigUInt64BE(BigInt(length), frame.writeUInt8(127, 1));
  frame[head] = MESSAGE;
  frame.write(text, head + 1);
  return frame;
}
