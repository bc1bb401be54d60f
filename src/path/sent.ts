/** Packets of `send()` of the client helper: the control event `$io:send` brings a key, and an event that takes the usual way from there on. */
import { IoError } from '../errors';
import type { Acknowledge } from '../events';
import type { SocketContext, SocketHandler } from './context';
import { isError } from '../thrown';
import { isControl } from './controls';
import { NOT_FOUND, type Router } from './router';

/** What a sender has given with its event. Of any types: neither has been checked. */
interface Given {
  readonly key: unknown;
  readonly traceparent: unknown;
}

/** By packets, and by their contexts. */
const given = new WeakMap<object, Given>();

/** The packet with the key of its sender. Its acknowledgement is at the end. @throws IoError if this is no packet of `send()` */
export function unpackSent([first, event, ...args]: readonly unknown[], ack: Acknowledge | undefined): unknown[] {
  if (!ack || typeof event !== 'string' || isControl(event))
    throw new IoError('INVALID_ARGUMENT', '$io:send takes a key, an event of the app, its arguments, and an acknowledgement');
  const packet = [event, ...args, acknowledgerOf(ack)];
  const sender: readonly unknown[] = Array.isArray(first) ? first : [first];
  const [key, traceparent] = sender;
  given.set(packet, { key: key ?? null, traceparent });
  return packet;
}

/** What the client gets is `{ answer }` or `{ error }`. */
function acknowledgerOf(ack: Acknowledge): Acknowledge {
  return (answer: unknown = null) => ack(isError(answer) || isErrorAnswer(answer) ? answer : { answer });
}

/** An object with an error and nothing else is one, even if a handler has returned it. Of others, which may be large, nothing but that is read. */
function isErrorAnswer(answer: unknown): boolean {
  const fields = Object(answer) as { error?: { code?: unknown } | null }; // any value has any fields
  return typeof fields.error?.code === 'string' && Object.keys(fields).length === 1;
}

/** To be called with each context of a packet. */
export function passKey(packet: unknown[], ctx: SocketContext): void {
  const ofPacket = given.get(packet);
  if (ofPacket) given.set(ctx, ofPacket);
}

/** What the sender has given as its `traceparent`. */
export function traceparentOf(ctx: object): unknown {
  return given.get(ctx)?.traceparent;
}

/** Undefined if the packet does not come from `send()`. */
export function sentKeyOf(packetOrContext: object): unknown {
  return given.get(packetOrContext)?.key;
}

/** These packets reach routes only: their handlers run once, and listeners would get each retry. @throws IoError without a route */
export function handlerOfSent({ packet = [] }: SocketContext, router: Router): SocketHandler {
  const handler = router.match(packet[0]) ?? router.unmatched;
  if (!handler) throw NOT_FOUND;
  return handler;
}
