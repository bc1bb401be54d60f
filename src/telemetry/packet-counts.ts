/** Counts the events of clients: how long they take, and how they fail. */
import type { PacketSink } from '../path/packet-times';
import type { Watched } from '../path/watch';
import type { Attributes, Reading } from './names';
import { OTHER, Tally, Words } from './tally';

export class PacketCounts implements PacketSink {
  readonly #codes = new Words();
  readonly #errors = new Tally();
  /** Of durations, by namespace, event and code: made once, and not for each packet. */
  readonly #attributes = new Map<string, Attributes>();
  /** Called with each duration, in s, and always with the same object for the same attributes. */
  readonly #onDuration: (seconds: number, attributes: Attributes) => void;

  constructor(onDuration: (seconds: number, attributes: Attributes) => void) {
    this.#onDuration = onDuration;
  }

  packet(connection: Watched, event: unknown, outcome: string, duration: number | undefined): void {
    const name = routeOf(connection, event);
    const code = outcome === 'OK' ? undefined : this.#codes.bound(outcome);
    if (duration !== undefined) this.#onDuration(duration / 1000, this.#attributesOf(connection, name, code));
    if (code !== undefined)
      this.#errors.add({ 'socketio.namespace': connection.namespace.name, 'socketio.event': name, 'error.type': code });
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
}

/** The event if it has a route. Clients choose all others. */
function routeOf({ namespace }: Watched, event: unknown): string {
  return namespace.router.match(event) ? String(event) : OTHER;
}
