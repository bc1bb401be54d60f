/** The part of the access log with one line for each packet: `config.io.accessLog.packets`. */
import type { AccessLog } from './access-log';
import type { PacketWatch, Watched } from './watch';

interface Entry {
  readonly event: unknown;
  /** As of `performance.now()`. */
  readonly beganAt: number;
  outcome: string;
}

export class PacketLog implements PacketWatch {
  readonly #log: AccessLog;
  /** Of the packets that are being handled, by their contexts. */
  readonly #entries = new WeakMap<object, Entry>();

  constructor(log: AccessLog) {
    this.#log = log;
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
    this.#log.packet(connection, entry.event, performance.now() - entry.beganAt, entry.outcome);
  }

  write(connection: Watched, event: unknown, outcome: string): void {
    this.#log.packet(connection, event, 0, outcome);
  }
}
