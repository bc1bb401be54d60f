/**
 * Events that go straight from a WebSocket to their socket. The usual way, through Engine.IO, the parser and six emitters, is a fifth of what
 * a message without an answer costs. Everything but a plain event takes it, and so do all messages while somebody listens there.
 */
import type { Socket as EngineSocket } from 'engine.io';
import type { Server, Socket } from 'socket.io';
import { isDebugged } from '../debug';
import { HEARTBEAT, isPinged, webSocketOf } from '../internals/engine-io';
import { hasMembers } from '../internals/members';
import { CLIENT_DECODER, isDecoderIdle, isKnownParser } from '../internals/parser';
import { namespacesOf, socketInternals } from '../internals/socket-io';
import { WebSocket } from '../internals/ws';
import type { Intake } from '../limits/intake';
import { intakeOf } from '../limits/intakes';
import { trafficOf } from '../limits/traffic';
import { decodeEvent, type EventPacket, isMessage } from './event-decoder';

type Client = Socket['client'];
type Listener = (this: ReadWebSocket, message: Buffer, isBinary: boolean) => void;

/** A WebSocket whose events are passed on directly. */
type ReadWebSocket = InstanceType<typeof WebSocket> & { [CLIENT]: Client; [USUAL]: Listener };

/** Set on a WebSocket, and on a connection that may upgrade to one. */
const CLIENT = Symbol('client');
/** Engine.IO's own listener. */
const USUAL = Symbol('usual');

/** What writes of a message to its debugging log on the usual way. */
const WRITES_MESSAGES = ['engine', 'engine:socket', 'engine:transport', 'engine:ws', 'socket.io-parser', 'socket.io:client'];

export class DirectEvents {
  /** Whether Socket.IO and Engine.IO have the members that are used. Known with the first connection; a missing one has been told of. */
  #isPossible: boolean | undefined;

  /** Undefined if all events go the usual way: with a parser of the app, or if `DEBUG` names what they are not to pass by. */
  static of(parser: Server['_parser']): DirectEvents | undefined {
    return isKnownParser(parser) && !isDebugged(WRITES_MESSAGES) ? new DirectEvents() : undefined;
  }

  /** To be called when a client has connected to a namespace. */
  open(client: Client): void {
    const connection = client.conn as EngineSocket & { [CLIENT]?: Client };
    if (connection.protocol === 3 || connection[CLIENT]) return;
    this.#isPossible ??= hasMembers(CLIENT_DECODER, client) && hasMembers(HEARTBEAT, connection);
    if (!this.#isPossible) return;
    connection[CLIENT] = client;
    if (connection.transport.name === 'websocket') replaceListener(connection, client);
    else connection.on('upgrade', onUpgrade);
  }
}

function onUpgrade(this: EngineSocket & { [CLIENT]: Client }): void {
  replaceListener(this, this[CLIENT]);
}

/** Puts a listener in the place of Engine.IO's. All WebSockets share the function. */
function replaceListener(connection: EngineSocket, client: Client): void {
  const webSocket = webSocketOf(connection);
  if (!(webSocket instanceof WebSocket)) return; // of another engine
  const [usual, ...others] = webSocket.listeners('message');
  if (!usual || others.length > 0) return; // somebody else reads, too
  Object.assign(webSocket, { [CLIENT]: client, [USUAL]: usual });
  webSocket.off('message', usual as () => void); // typed as any function
  const listener = trafficOf(connection) ? onCounted : onMessage;
  webSocket.on('message', listener as () => void); // its `this` has just got the two fields
}

function onMessage(this: ReadWebSocket, message: Buffer, isBinary: boolean): void {
  if (!take(this, message, isBinary)) this[USUAL](message, isBinary);
}

/** In the place of the other one if traffic is counted. The usual way counts by itself. */
function onCounted(this: ReadWebSocket, message: Buffer, isBinary: boolean): void {
  if (take(this, message, isBinary)) trafficOf(this[CLIENT].conn)?.receiveText(message.length - 1);
  else this[USUAL](message, isBinary);
}

/** Returns false if the message has to go the usual way. */
function take(webSocket: ReadWebSocket, message: Buffer, isBinary: boolean): boolean {
  const client = webSocket[CLIENT];
  const intake = intakeOf(client.conn);
  if (isBinary || !isUnobserved(client, webSocket, intake)) return false;
  if (intake?.isHolding) {
    if (!isMessage(message)) return false;
    intake.receive(message.toString('utf8', 1)); // it has to wait
    return true;
  }
  const packet = decodeEvent(message);
  const socket = packet && namespacesOf(client).get(packet.nsp);
  if (!socket || (intake && !intake.take())) return false;
  process.nextTick(receive, socket, packet); // as in Socket.IO: in order with other packets, and in a context of its own
  return true;
}

/** Whether the usual way would do nothing but decode the message. */
function isUnobserved(client: Client, webSocket: ReadWebSocket, intake: Intake | undefined): boolean {
  const { conn } = client;
  const { transport } = conn;
  return (
    conn.readyState === 'open' &&
    webSocketOf(conn) === webSocket &&
    !isPinged(conn) &&
    isDecoderIdle(client) &&
    conn.listenerCount('data') === 1 &&
    conn.listenerCount('packet') === (intake ? 1 : 0) &&
    conn.listenerCount('message') === 0 &&
    transport.listenerCount('packet') === 1
  );
}

function receive(socket: Socket, packet: EventPacket): void {
  socketInternals(socket)._onpacket(packet); // the app may have replaced it
}
