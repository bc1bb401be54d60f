/** The part of the access log with one line for each packet: `config.io.accessLog.packets`. */
import type { AccessLog, Accessing } from './access-log';

interface Entry {
  readonly event: unknown;
  /** As of `performance.now()`. */
  readonly beganAt: number;
  outcome: string;
}

export class PacketLog {
  readonly #log: AccessLog;
  /** Of the packets that are being handled, by their contexts. */
  readonly #entries = new WeakMap<object, Entry>();

  constructor(log: AccessLog) {
    this.#log = log;
  }

  begin(ctx: object, event: unknown): void {
    this.#entries.set(ctx, { event, beganAt: performance.now(), outcome: 'OK' });
  }

  /** @param code that of the error which the client gets */
  fail(ctx: object, code: string): void {
    const entry = this.#entries.get(ctx);
    if (entry) entry.outcome = code;
  }

  end(ctx: object, connection: Accessing): void {
    const entry = this.#entries.get(ctx);
    if (!entry) return;
    this.#entries.delete(ctx);
    this.#log.packet(connection, entry.event, performance.now() - entry.beganAt, entry.outcome);
  }

  /** A packet that gets no context. @param outcome `OK`, or the code of the error */
  write(connection: Accessing, event: unknown, outcome: string): void {
    this.#log.packet(connection, event, 0, outcome);
  }
}
