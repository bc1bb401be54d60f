/**
 * A backplane that finds outages by pulses: messages that it sends to itself by way of the backend, several times a second. Pulses are counted
 * rather than ms, so that a process that is busy does not take its own delay for an outage.
 */
import { Backplane } from './backplane';
import type { Logger } from '../egg';
import type { OutageCode, OutageError, PulsedCode, RefusedCode } from '../errors';
import { type Refusal, Refusals } from './refusals';

/** Time between two pulses, in ms. */
export const PULSE_INTERVAL = 200;
/** After so many pulses without an answer, calls that wait for other servers fail: within a second. */
const UNREACHABLE_AFTER = 3;
/** After so many pulses without an answer it is an outage: nothing is sent until one comes back. The boot waits no longer either. */
const OUTAGE_AFTER = 10;

const REFUSED_CODES: Record<PulsedCode, RefusedCode> = {
  IO_DATABASE_DOWN: 'IO_DATABASE_REFUSED',
  IO_REDIS_DOWN: 'IO_REDIS_REFUSED',
};

/** Time after an outage in which the other servers come back as well, in ms. */
const RETURN_TIME = 2000;

/** Time for a connection to be made, in ms. */
export const CONNECT_TIMEOUT = OUTAGE_AFTER * PULSE_INTERVAL;

export abstract class PulsedBackplane extends Backplane {
  readonly localTimeout = 200;
  /** Time for answers of other servers, in ms, where the adapter does not know it itself. */
  abstract readonly requestsTimeout: number | undefined;
  #unanswered = 0;
  #sent = 0;
  /** The first pulse that counts: those sent before an outage say nothing of the time after it. */
  #expected = 1;
  #timer: NodeJS.Timeout | undefined;
  #hasContact = false;
  #backAt = Number.NEGATIVE_INFINITY;
  /** The error with which the backend has answered the latest pulse. */
  #pulseError: Error | undefined;
  readonly #refusedCode: RefusedCode;
  readonly #refusals: Refusals;

  /** @param name what is at the other end and where, as `Redis at 127.0.0.1:6379` */
  constructor(name: string, code: PulsedCode, logger: Logger) {
    super({ name, peers: 'servers', code, logger });
    this.#refusedCode = REFUSED_CODES[code];
    this.#refusals = new Refusals(name, this.#refusedCode, logger, () => this.pulse());
  }

  get isReachable(): boolean {
    return this.isAnswering && !this.#refusals.stopsQuestions;
  }

  /** Whether pulses come back. */
  protected get isAnswering(): boolean {
    return !this.isDown && this.#unanswered < UNREACHABLE_AFTER;
  }

  /** How long until it is known which servers have come back after an outage, in ms. */
  get returnTime(): number {
    return Math.max(0, this.#backAt + RETURN_TIME - performance.now());
  }

  /** Says what is refused, where that is why other servers cannot be asked. */
  override error(cause?: unknown): OutageError {
    const refusal = this.#refusals.ofQuestions;
    if (!refusal) return super.error(cause);
    return this.createError(this.#refusedCode, `${this.name} ${refusal.problem}: `, cause ?? refusal.error);
  }

  /** Starts to send pulses. Resolves when one has come back, or when the boot should not wait any longer. */
  async ready(): Promise<void> {
    this.#timer = setInterval(() => this.#watch(), PULSE_INTERVAL).unref();
    this.pulse();
    await this.opened;
  }

  override async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#refusals.close();
    await super.close();
  }

  /** Sends a pulse now: there is reason to think that it comes back. */
  protected pulse(): void {
    this.#sent++;
    this.sendPulse(this.#sent);
  }

  /** To be called when a pulse has come back. */
  protected onPulse(pulse: number): void {
    if (pulse < this.#expected || !this.#timer) return;
    this.#unanswered = 0;
    this.#pulseError = undefined;
    this.setOpened();
    if (!this.isComplete) return;
    if (this.isDown) {
      this.endOutage();
      this.#backAt = performance.now();
    }
    if (!this.#hasContact) this.onContact(); // after that, since what it sends would be dropped
    this.#hasContact = true;
  }

  /** To be called when the backend has answered a pulse with an error that may pass, as a Cluster that is choosing a new master. */
  protected onPulseError(error: Error): void {
    this.#pulseError = error;
  }

  /**
   * To be called when the backend answers something that is needed with an error that does not pass by itself. That is one line of log for
   * each problem, and another one when it is over. Only questions to other servers fail meanwhile, and only where the refusal says so.
   */
  protected refuse(refusal: Refusal): void {
    if (this.isClosed) return;
    this.#refusals.add(refusal);
    this.setOpened();
    if (refusal.stopsQuestions) this.failWaiting();
  }

  /** To be called when the backend does what it has refused before, where the refusal has no `retry`. */
  protected permit(problem: string): void {
    this.#refusals.remove(problem);
  }

  /** To be called when the backend has answered a pulse with a refusal, or cannot send it back: it is there. */
  protected onPulseRefused(): void {
    this.#unanswered = 0;
  }

  /** To be called when nothing at all can be sent, as the backend does not let this server in: an outage that has an answer. */
  protected refuseAll(error: Error, problem: string, remedy: string): void {
    this.beginOutage(error, `${this.name} ${problem}; ${remedy}`, this.#refusedCode);
  }

  protected override beginOutage(error: Error, problem?: string, code?: OutageCode): void {
    if (!this.isDown) {
      this.#hasContact = false;
      this.#expected = this.#sent + 1;
    }
    super.beginOutage(error, problem, code);
  }

  /** Where the messages of a namespace come from, for the log. */
  abstract channelOf(nsp: string): string;
  /** Whether all is there again that an outage takes away, as subscriptions: 'is back' is not said before. */
  protected get isComplete(): boolean {
    return true;
  }
  /** Called when the first pulse has come back, and when the first has after an outage: it may send something. */
  protected onContact(): void {}
  /** Sends a pulse, for `onPulse` to be called with its number. Must not throw. */
  protected abstract sendPulse(pulse: number): void;
  /** Replaces connections that are open but do not answer. */
  protected abstract reconnect(): void;
  /** Called every `PULSE_INTERVAL`, which pulses are not: some are sent at once. */
  protected onInterval(): void {}

  #watch(): void {
    this.onInterval();
    this.#unanswered++;
    if (this.#unanswered === UNREACHABLE_AFTER) this.failWaiting();
    if (this.#unanswered % OUTAGE_AFTER === 0) {
      if (!this.isDown) this.beginOutage(this.#pulseError ?? new Error(`no answer in ${CONNECT_TIMEOUT} ms`));
      this.reconnect();
    }
    this.pulse();
  }
}
