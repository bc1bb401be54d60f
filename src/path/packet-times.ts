/** Says how each packet has ended, and how long it took: for the access log and the metrics. */
import type { PacketWatch, Watched } from './watch';

/** What is told. */
export interface PacketSink {
  /** @param outcome `OK`, or the code of the error @param duration in ms. Undefined for a packet that has got no context. */
  packet(connection: Watched, event: unknown, outcome: string, duration: number | undefined): void;
}

interface Entry {
  readonly event: unknown;
  /** As of `performance.now()`. */
  readonly beganAt: number;
  outcome: string;
}

export class PacketTimes implements PacketWatch {
  readonly #sinks: readonly PacketSink[];
  /** Of the packets that are being handled, by their contexts. */
  readonly #entries = new WeakMap<object, Entry>();

  constructor(sinks: readonly PacketSink[]) {
    this.#sinks = sinks;
  }

  begin(ctx: object, event: unknown): void {
    this.#entries.set(ctx, { event, beganAt: performance.now(), outcome: 'OK' });
  }

  fail(ctx: object, code: string): void {
    const entry = this.#entries.get(ctx);
    if (entry) entry.outcome = code;
  }

  end(ctx: object, connection: Watched): void {
    const entry = this.#entries.get(ctx);
    if (!entry) return;
    this.#entries.delete(ctx);
    const duration = performance.now() - entry.beganAt;
    for (const sink of this.#sinks) sink.packet(connection, entry.event, entry.outcome, duration);
  }

  write(connection: Watched, event: unknown, outcome: string): void {
    for (const sink of this.#sinks) sink.packet(connection, event, outcome, undefined);
  }
}
