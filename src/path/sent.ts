/** Packets of `send()` of the client helper: the control event `$io:send` brings a key, and an event that takes the usual way from there on. */
import { IoError } from '../errors';
import type { Acknowledge } from '../events';
import type { SocketContext, SocketHandler } from './context';
import { isControl } from './controls';
import { NOT_FOUND, type Router } from './router';

/** The keys of packets, and of their contexts. */
const keys = new WeakMap<object, unknown>();

/** The `traceparent` that a key has beside it, by the same objects. */
const traceparents = new WeakMap<object, unknown>();

/** The packet with the key of its sender. Its acknowledgement is at the end. @throws IoError if this is no packet of `send()` */
export function unpackSent([key, event, ...args]: readonly unknown[], ack: Acknowledge | undefined): unknown[] {
  if (!ack || typeof event !== 'string' || isControl(event))
    throw new IoError('INVALID_ARGUMENT', '$io:send takes a key, an event of the app, its arguments, and an acknowledgement');
  const packet = [event, ...args, ack];
  if (Array.isArray(key)) traceparents.set(packet, key[1]);
  keys.set(packet, (Array.isArray(key) ? key[0] : key) ?? null);
  return packet;
}

/** To be called with each context of a packet. */
export function passKey(packet: unknown[], ctx: SocketContext): void {
  const key = keys.get(packet);
  if (key === undefined) return;
  keys.set(ctx, key);
  if (traceparents.has(packet)) traceparents.set(ctx, traceparents.get(packet));
}

/** What the sender has given as its `traceparent`. Of any type: it has not been checked. */
export function traceparentOf(ctx: object): unknown {
  return traceparents.get(ctx);
}

/** Undefined if the packet does not come from `send()`. Of any type: the key has not been checked. */
export function sentKeyOf(packetOrContext: object): unknown {
  return keys.get(packetOrContext);
}

/** These packets reach routes only: their handlers run once, and listeners would get each retry. @throws IoError without a route */
export function handlerOfSent({ packet = [] }: SocketContext, router: Router): SocketHandler {
  const handler = router.match(packet[0]) ?? router.unmatched;
  if (!handler) throw NOT_FOUND;
  return handler;
}
