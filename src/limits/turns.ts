/** Clients that wait in the middle of a packet with attachments, since those of all clients take much memory. They go on in turns. */
import type { Socket as EngineSocket } from 'engine.io';
import { Reading } from '../internals/reading';
import { intakeOf } from './intakes';

/** A client that waits. */
interface Waiting {
  readonly reading: Reading;
  /** Of its packet, so far. */
  readonly bytes: number;
}

export class Turns {
  /** The shorter one of the times of Engine.IO, in ms. */
  heartbeat = Number.POSITIVE_INFINITY;
  /** These are not read. Who has waited longest is first. */
  readonly #waiting = new Map<EngineSocket, Waiting>();
  /** These may complete their packets, whatever memory that takes: somebody has to go on. */
  readonly #holders = new Set<EngineSocket>();

  /** The number of clients that wait. */
  get size(): number {
    return this.#waiting.size;
  }

  isWaiting(connection: EngineSocket): boolean {
    return this.#waiting.has(connection);
  }

  /** Whether others wait for this one. */
  isWaitedFor(connection: EngineSocket): boolean {
    return this.size > 0 && this.#holders.has(connection);
  }

  /**
   * Stops reading a connection, unless it has a turn. To be called for each message: over polling, the answer to a request is held back for some time
   * only.
   * @param bytes of its packet, so far
   */
  wait(connection: EngineSocket, bytes: number): void {
    if (this.#holders.size === 0) this.#holders.add(connection);
    if (this.#holders.has(connection)) return;
    const reading = this.#waiting.get(connection)?.reading ?? intakeOf(connection)?.reading ?? new Reading(connection, this.heartbeat);
    this.#waiting.set(connection, { reading, bytes });
    reading.pause(this, () => {});
  }

  /** Gives a turn to the one with the fewest bytes: who holds much memory to keep others waiting is the last. */
  next(): void {
    let next: EngineSocket | undefined;
    let fewest = Number.POSITIVE_INFINITY;
    for (const [connection, { bytes }] of this.#waiting) {
      if (bytes >= fewest) continue;
      next = connection;
      fewest = bytes;
    }
    if (!next) return;
    this.#holders.add(next);
    this.goOn(next);
  }

  /** Lets so many clients go on that have waited longest. They may have to wait again after a message. */
  letOn(count: number): void {
    for (const connection of [...this.#waiting.keys()].slice(0, Math.max(0, count))) this.goOn(connection);
  }

  /** Reads a connection on. */
  goOn(connection: EngineSocket): void {
    this.#waiting.get(connection)?.reading.resume(this);
    this.#waiting.delete(connection);
  }

  /**
   * To be called when a packet is complete, or its connection has ended.
   * @returns whether it had a turn
   */
  leave(connection: EngineSocket): boolean {
    this.goOn(connection);
    const hadTurn = this.#holders.delete(connection);
    if (this.#holders.size === 0) this.next();
    return hadTurn;
  }
}
