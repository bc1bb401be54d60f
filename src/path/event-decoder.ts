/** A decoder for what nearly all messages of clients are: an event without bytes, as the text of one WebSocket message. */
import { isPayloadValid } from '../internals/parser';
import { isNestedDeeper, MAX_NESTING, type Packet, PacketType } from '../protocol';

/** An event as Socket.IO's parser returns it. */
export interface EventPacket extends Packet {
  readonly data: unknown[];
}

/** https://github.com/socketio/engine.io-protocol#packet-encoding */
const MESSAGE = '4'.charCodeAt(0);
const EVENT = '0'.charCodeAt(0) + PacketType.EVENT;
const ZERO = '0'.charCodeAt(0);
const SLASH = '/'.charCodeAt(0);
const COMMA = ','.charCodeAt(0);
const BRACKET = '['.charCodeAt(0);

/** Of the id of an acknowledgement. Longer ones may not be safe integers. */
export const MAX_DIGITS = 15;

/** Decodes a message of Engine.IO. Undefined for anything but a valid event: the parser then decodes the message, or refuses it. */
export function decodeEvent(message: Buffer): EventPacket | undefined {
  if (message[0] !== MESSAGE || message[1] !== EVENT) return undefined;
  let at = 2;
  let nsp = '/';
  if (message[at] === SLASH) {
    const end = message.indexOf(COMMA, at);
    if (end === -1) return undefined;
    nsp = message.toString('utf8', at, end);
    at = end + 1;
  }
  const idAt = at;
  let id = 0;
  for (let digit = digitAt(message, at); digit >= 0 && digit <= 9; digit = digitAt(message, ++at)) id = id * 10 + digit;
  if (message[at] !== BRACKET || at - idAt > MAX_DIGITS) return undefined;
  let data: unknown[];
  try {
    data = JSON.parse(message.toString('utf8', at)) as unknown[]; // begins with a bracket
  } catch {
    return undefined;
  }
  if (!isPayloadValid(PacketType.EVENT, data) || (message.length - at > 2 * MAX_NESTING && isNestedDeeper(data, MAX_NESTING)))
    return undefined;
  return at === idAt ? { type: PacketType.EVENT, nsp, data } : { type: PacketType.EVENT, nsp, id, data };
}

/** Whether a packet of Engine.IO has a packet of Socket.IO in it. */
export function isMessage(packet: Buffer): boolean {
  return packet[0] === MESSAGE;
}

/** NaN at the end. */
function digitAt(message: Buffer, at: number): number {
  return (message[at] ?? Number.NaN) - ZERO;
}
