/**
 * The messages of one connection on their way to Socket.IO. They pass at once while the client keeps to the limits `events` and `pending`. Otherwise
 * they wait here, in order, and if many do, the connection is not read: nothing is lost.
 */
import type { Socket as EngineSocket } from 'engine.io';
import { Reading } from '../internals/reading';
import { Allowance, SLICE, type Shortage } from './allowance';
import { Held } from './held';
import type { Client, IntakeOptions } from './intake-options';
import { Answers } from './answers';

/** After so many messages that have to wait, reading pauses for a moment: other clients come in between. */
const READ_AHEAD = 1000;
/** From so many bytes on that wait, the connection is not read. */
const MAX_BYTES = 4_000_000;
/** Least time in ms until messages that wait are looked at again. */
const TICK = 20;
/** Time in ms after which a client is disconnected that is not read, and none of whose handlers has ended. */
const STANDSTILL = 60_000;

export class Intake {
  readonly #connection: EngineSocket;
  readonly #deliver: (message: unknown) => void;
  readonly #options: IntakeOptions;
  readonly #allowance: Allowance;
  readonly #reading: Reading;
  readonly #held = new Held();
  readonly #answers: Answers;
  /** Messages that had to wait since the connection was read again. */
  #readAhead = 0;
  #deliveredAt = 0;
  #hasReported = false;
  #wake: NodeJS.Immediate | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** Set when the client has gone: tells Socket.IO. */
  #leave: (() => void) | undefined;

  /** @param deliver passes a message on to Socket.IO */
  constructor(connection: EngineSocket, deliver: (message: unknown) => void, options: IntakeOptions) {
    this.#connection = connection;
    this.#deliver = deliver;
    this.#options = options;
    this.#allowance = new Allowance(options.limits.settings);
    this.#answers = new Answers(options.refuse !== undefined);
    this.#reading = new Reading(connection, options.heartbeat);
  }

  /** To be called with the first namespace that the client has asked for. */
  set client(client: Client) {
    this.#answers.client = client;
  }

  /** Takes the place of an event. Returns false if it has to wait: nothing has been taken then. */
  take(): boolean {
    if (!this.#allowance.take()) return false;
    if (this.#allowance.isHalf) this.#wakeSoon();
    return true;
  }

  receive(message: unknown): void {
    const overtakes = this.isHolding && this.#allowance.shortage === 'pending' && this.#answers.overtakes(message);
    if (overtakes || (!this.isHolding && (this.#answers.isFree(message) || this.take()))) this.#deliver(message);
    else this.#hold(message);
  }

  /** Counts a packet that is not a message, and has been handled. */
  count(): void {
    if (!this.take()) this.#hold(undefined);
  }

  beginHandler(): void {
    this.#allowance.beginHandler();
  }

  endHandler(): void {
    this.#allowance.endHandler();
    if (this.isHolding) this.#wakeSoon();
  }

  /** The client has gone. What it may have sent before is delivered first. @param leave tells Socket.IO */
  close(leave: () => void): void {
    this.#leave = leave;
    if (this.isHolding) this.#wakeSoon();
    else this.#settle();
  }

  /** Forgets what waits: the server ends the connection. */
  drop(): void {
    this.#held.clear();
  }

  /** Whether messages wait. Nothing may overtake them then. */
  get isHolding(): boolean {
    return this.#held.size > 0;
  }

  #hold(message: unknown): void {
    if (!this.isHolding) this.#deliveredAt = performance.now();
    this.#held.push(message);
    const { maxExcess, maxWaiting, shortage } = this.#allowance;
    const { arrived, size, bytes } = this.#held;
    if (arrived > maxExcess || size > 2 * maxWaiting || bytes > MAX_BYTES + 2 * this.#options.maxSize) {
      this.#options.limits.endFor(this.#connection, shortage ?? 'events');
      return;
    }
    if (!this.#timer) this.#wakeSoon();
    const isFull = ++this.#readAhead >= READ_AHEAD || size > maxWaiting || bytes > MAX_BYTES;
    if (isFull && !this.#waitsForAnswers) this.#pause();
  }

  /** Delivers what may pass in this turn. */
  #release(): void {
    this.#allowance.refill();
    let count = 0;
    while (count < SLICE && this.isHolding && (this.#deliverFirst() || this.#refuseFirst())) count++;
    if (this.isHolding) this.#wait(count === SLICE ? undefined : this.#allowance.shortage);
    else this.#settle();
  }

  #deliverFirst(): boolean {
    const { first } = this.#held;
    if (!this.#answers.isFree(first) && !this.#allowance.take()) return false;
    this.#held.shift();
    this.#deliveredAt = performance.now();
    if (first !== undefined) this.#deliver(first);
    return true;
  }

  #refuseFirst(): boolean {
    const { first } = this.#held;
    const { limits, refuse } = this.#options;
    const client = this.#answers.client;
    const { shortage } = this.#allowance;
    if (!shortage || !limits.settings[shortage]?.drop || !client || typeof first !== 'string') return false;
    if (refuse?.(client, first, shortage) !== true) return false;
    this.#held.shift();
    limits.report(shortage, 'an event is refused', this.#connection);
    return true;
  }

  /** Some messages have to wait on. @param shortage undefined for the next turn */
  #wait(shortage: Shortage | undefined): void {
    this.#allowance.withdraw();
    if (!shortage) return this.#wakeSoon();
    if (this.#leave) return this.#settle(); // the client has gone
    if (!this.#hasReported) {
      this.#hasReported = true;
      this.#options.limits.report(shortage, 'its events wait', this.#connection);
    }
    if (shortage === 'events') this.#timer ??= setTimeout(Intake.#onWake, Math.max(TICK, this.#allowance.interval), this).unref();
    const most = shortage === 'pending' ? READ_AHEAD : this.#allowance.maxWaiting;
    if (this.#held.size < most / 2 && this.#held.bytes < MAX_BYTES / 2) this.#resume();
  }

  /** Nothing waits any more, or the client has gone. */
  #settle(): void {
    this.#held.clear();
    this.#hasReported = false;
    this.#resume();
    const leave = this.#leave;
    if (!leave) return;
    this.#leave = undefined;
    clearImmediate(this.#wake);
    clearTimeout(this.#timer);
    leave();
  }

  #wakeSoon(): void {
    this.#wake ??= setImmediate(Intake.#onWake, this);
  }

  static #onWake(this: void, intake: Intake): void {
    clearImmediate(intake.#wake);
    clearTimeout(intake.#timer);
    intake.#wake = intake.#timer = undefined;
    intake.#release();
  }

  #pause(): void {
    this.#reading.pause(() => {
      if (this.#waitsForAnswers) this.#resume();
      else if (performance.now() - this.#deliveredAt > STANDSTILL)
        this.#options.limits.endFor(this.#connection, this.#allowance.shortage ?? 'events');
    });
  }

  #resume(): void {
    this.#readAhead = 0;
    this.#reading.resume();
  }

  /** Whether handlers have to end that may wait for the client: it has to be read. */
  get #waitsForAnswers(): boolean {
    return this.#allowance.shortage === 'pending' && this.#answers.areAwaited;
  }
}
