/** Counts the events of clients: how long they take, and how they fail. */
import type { PacketWatch, Watched } from '../path/watch';
import type { Attributes, Reading } from './names';
import { OTHER, Tally, Words } from './tally';

interface Entry {
  readonly event: unknown;
  /** As of `performance.now()`. */
  readonly beganAt: number;
  code: string | undefined;
}

export class PacketCounts implements PacketWatch {
  readonly #codes = new Words();
  readonly #errors = new Tally();
  /** Of the packets that are being handled, by their contexts. */
  readonly #entries = new WeakMap<object, Entry>();
  /** Of durations, by namespace, event and code: made once, and not for each packet. */
  readonly #attributes = new Map<string, Attributes>();
  /** Called with each duration, in s, and always with the same object for the same attributes. */
  readonly #onDuration: (seconds: number, attributes: Attributes) => void;

  constructor(onDuration: (seconds: number, attributes: Attributes) => void) {
    this.#onDuration = onDuration;
  }

  begin(ctx: object, event: unknown): void {
    this.#entries.set(ctx, { event, beganAt: performance.now(), code: undefined });
  }

  fail(ctx: object, code: string): void {
    const entry = this.#entries.get(ctx);
    if (entry) entry.code = this.#codes.bound(code);
  }

  end(ctx: object, connection: Watched): void {
    const entry = this.#entries.get(ctx);
    if (!entry) return;
    this.#entries.delete(ctx);
    const seconds = (performance.now() - entry.beganAt) / 1000;
    const event = routeOf(connection, entry.event);
    this.#onDuration(seconds, this.#attributesOf(connection, event, entry.code));
    if (entry.code !== undefined) this.#countError(connection.namespace.name, event, entry.code);
  }

  write(connection: Watched, event: unknown, outcome: string): void {
    if (outcome !== 'OK') this.#countError(connection.namespace.name, routeOf(connection, event), this.#codes.bound(outcome));
  }

  read(): Reading {
    return { 'socketio.server.errors': this.#errors.points };
  }

  #attributesOf({ namespace: { name, pattern } }: Watched, event: string, code: string | undefined): Attributes {
    const key = `${name}\n${event}\n${code ?? ''}`;
    const known = this.#attributes.get(key);
    if (known) return known;
    const attributes: Attributes = {
      'messaging.system': 'socket.io',
      'messaging.operation.name': 'process',
      [pattern ? 'messaging.destination.template' : 'messaging.destination.name']: name,
      'socketio.event': event,
      ...(code !== undefined && { 'error.type': code }),
    };
    this.#attributes.set(key, attributes);
    return attributes;
  }

  #countError(namespace: string, event: string, code: string): void {
    this.#errors.add({ 'socketio.namespace': namespace, 'socketio.event': event, 'error.type': code });
  }
}

/** The event if it has a route. Clients choose all others. */
function routeOf({ namespace }: Watched, event: unknown): string {
  return namespace.router.match(event) ? String(event) : OTHER;
}
