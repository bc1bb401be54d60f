/**
 * The messages of one connection on their way to Socket.IO. They pass at once while the client keeps to the limits `events` and `pending`. Otherwise
 * they wait here, in order, and if many do, the connection is not read: nothing is lost.
 *
 * Only answers of the client overtake what waits. A packet with bytes is several messages, which the decoder takes together: nothing that waits is
 * delivered while the client is in the middle of a packet whose first message has been delivered.
 */
import type { Socket as EngineSocket } from 'engine.io';
import { Reading } from '../internals/reading';
import { Allowance, SLICE, type Shortage } from './allowance';
import { Held } from './held';
import { type IntakeOptions, refuseEvent } from './intake-options';
import { Answers } from './answers';
import { Delivery } from './delivery';
import { Standstill } from './standstill';

/** After so many messages that have to wait, reading pauses for a moment: other clients come in between. */
const READ_AHEAD = 1000;
/** Least time in ms until messages that wait are looked at again. */
const TICK = 20;

export class Intake {
  readonly reading: Reading;
  readonly #connection: EngineSocket;
  readonly #delivery: Delivery;
  readonly #options: IntakeOptions;
  readonly #allowance: Allowance;
  readonly #held: Held;
  readonly #answers: Answers;
  /** Messages that had to wait since the connection was read again. */
  #readAhead = 0;
  /** Set while messages wait for more than a turn. */
  #standstill: Standstill | undefined;
  #hasReported = false;
  #wake: NodeJS.Immediate | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** Set when the client has gone: tells Socket.IO. */
  #leave: (() => void) | undefined;

  /** @param deliver passes a message on to Socket.IO */
  constructor(connection: EngineSocket, deliver: (message: unknown) => void, options: IntakeOptions) {
    this.#connection = connection;
    this.#options = options;
    this.#allowance = new Allowance(options.limits.settings);
    this.#held = new Held(options.maxSize, this.#allowance.maxWaiting);
    this.#answers = new Answers(connection, options.refuse !== undefined);
    this.#delivery = new Delivery(deliver, this.#answers);
    this.reading = new Reading(connection, options.heartbeat);
  }

  /** Takes the place of an event. Returns false if it has to wait: nothing has been taken then. */
  take(): boolean {
    if (!this.#allowance.take()) return false;
    if (this.#allowance.isHalf) this.#wakeSoon();
    return true;
  }

  receive(message: unknown): void {
    const passes = this.isHolding ? this.#overtakes(message) : this.#answers.isFree(message) || this.take();
    if (!passes) return this.#hold(message);
    this.#pass(message);
    if (!this.isHolding) return;
    if (this.#delivery.isMidPacket) this.#resume();
    else this.#wakeSoon();
  }

  /** Counts a packet that is not a message, and has been handled. */
  count(): void {
    if (this.isHolding || !this.take()) this.#hold(undefined);
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

  /** Also a text in the middle of a packet: the decoder shall see it. Within a turn, answers stay in order with events. */
  #overtakes(message: unknown): boolean {
    return this.#delivery.isMidPacket || (this.#allowance.shortage !== undefined && this.#answers.isAwaited(message));
  }

  #pass(message: unknown): void {
    this.#standstill?.move();
    this.#delivery.pass(message);
  }

  #hold(message: unknown): void {
    this.#held.push(message);
    if (this.#held.arrived > this.#allowance.maxExcess || this.#held.isOverfull) {
      this.#options.limits.endFor(this.#connection, this.#allowance.shortage ?? 'events');
      return;
    }
    if (!this.#timer) this.#wakeSoon();
    const isFull = ++this.#readAhead >= READ_AHEAD || this.#held.isFull;
    if (isFull && !this.#delivery.isMidPacket) this.reading.pause(this, () => this.#wakeSoon()); // the server may have asked something meanwhile
  }

  /** Delivers what may pass in this turn. */
  #release(): void {
    // a parser of the app does not tell answers from events: events have to pass, so that the answers behind them come
    this.#allowance.refill(this.#answers.areKnown ? 0 : this.#answers.open);
    let count = 0;
    while (count < SLICE && this.isHolding && !this.#delivery.isMidPacket && (this.#deliverFirst() || this.#refuseFirst())) count++;
    if (this.#leave && count > 0)
      this.#wakeSoon(); // Socket.IO handles them at the end of this turn, unless it knows by then that the client has gone
    else if (this.isHolding) this.#wait(count === SLICE ? undefined : this.#allowance.shortage);
    else this.#settle();
  }

  #deliverFirst(): boolean {
    if (!this.#answers.isFree(this.#held.first) && !this.#allowance.take()) return false;
    do {
      const message = this.#held.shift();
      if (message !== undefined) this.#pass(message);
    } while (this.#delivery.isMidPacket && this.isHolding); // only its other messages wait then, and pings between them
    return true;
  }

  #refuseFirst(): boolean {
    if (!refuseEvent(this.#options, this.#connection, this.#held.first, this.#allowance.shortage)) return false;
    this.#held.shift();
    return true;
  }

  /** Some messages have to wait on. @param shortage undefined for the next turn */
  #wait(shortage: Shortage | undefined): void {
    if (!shortage && !this.#delivery.isMidPacket) return this.#wakeSoon();
    if (this.#leave) return this.#settle(); // the client has gone
    this.#standstill ??= new Standstill(this.#options.limits.standstill, () => {
      if (this.#allowance.shortage !== 'events') this.#options.limits.endFor(this.#connection, 'pending'); // the others wait for nothing but time
    });
    if (shortage && !this.#hasReported) {
      this.#hasReported = true;
      this.#options.limits.report(shortage, 'its events wait', this.#connection);
    }
    if (!shortage || this.#delivery.isMidPacket) return; // until its bytes come
    // an answer may be behind what is not read
    const sips = this.#held.hasRoom && this.#answers.areKnown && this.#answers.open > 0;
    const time = sips ? TICK : Math.max(TICK, this.#allowance.wait);
    if (sips || shortage === 'events' || !this.#answers.areKnown) this.#timer ??= setTimeout(Intake.#onWake, time, this).unref();
    if (sips || this.#held.isHalfEmpty(shortage === 'pending' ? READ_AHEAD : Infinity)) this.#resume();
  }

  /** Nothing waits any more, or the client has gone. */
  #settle(): void {
    this.#held.clear();
    this.#standstill?.stop();
    this.#standstill = undefined;
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

  #resume(): void {
    this.#readAhead = 0;
    this.reading.resume(this);
  }
}
