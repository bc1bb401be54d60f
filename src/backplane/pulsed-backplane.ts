/**
 * A backplane that detects outages by pulses: messages to itself through the backend, several times a second. Pulses are counted instead of
 * ms, so that a busy process does not mistake its own delay for an outage.
 */
import { Backplane } from './backplane';
import { debug } from '../debug';
import type { Logger } from '../egg';
import type { OutageCode, OutageError, PulsedCode, RefusedCode } from '../errors';
import { type Refusal, Refusals } from './refusals';

/** Time between two pulses, in ms. */
export const PULSE_INTERVAL = 200;
/** Number of unanswered pulses after which questions to other servers fail: within a second. */
const UNREACHABLE_AFTER = 3;
/** Number of unanswered pulses after which an outage begins: nothing is sent until one comes back. The boot does not wait longer either. */
const OUTAGE_AFTER = 10;

const REFUSED_CODES: Record<PulsedCode, RefusedCode> = {
  IO_DATABASE_DOWN: 'IO_DATABASE_REFUSED',
  IO_REDIS_DOWN: 'IO_REDIS_REFUSED',
};

/** Time after an outage for the other servers to reconnect, in ms. */
const RETURN_TIME = 2000;

/** Time to connect, in ms. */
export const CONNECT_TIMEOUT = OUTAGE_AFTER * PULSE_INTERVAL;

export abstract class PulsedBackplane extends Backplane {
  readonly localTimeout = 200;
  /** Time for answers of other servers, in ms. Undefined if the adapter sets it itself. */
  abstract readonly requestsTimeout: number | undefined;
  #unanswered = 0;
  #sent = 0;
  /** The first pulse that counts: one sent before an outage does not end it. */
  #expected = 1;
  #timer: NodeJS.Timeout | undefined;
  #hasContact = false;
  #backAt = Number.NEGATIVE_INFINITY;
  /** The error that answered the latest pulse. */
  #pulseError: Error | undefined;
  readonly #refusedCode: RefusedCode;
  readonly #refusals: Refusals;

  /** @param name the name of the backend, for example `Redis at 127.0.0.1:6379` */
  constructor(name: string, code: PulsedCode, logger: Logger) {
    super({ name, peers: 'servers', code, logger });
    this.#refusedCode = REFUSED_CODES[code];
    this.#refusals = new Refusals(name, this.#refusedCode, logger, () => {
      this.losses.count++;
      this.pulse();
    });
  }

  get isReachable(): boolean {
    return this.isAnswering && !this.#refusals.stopsQuestions;
  }

  /** Whether pulses come back. */
  get isAnswering(): boolean {
    return !this.isDown && this.#unanswered < UNREACHABLE_AFTER;
  }

  /** The remaining time after an outage for the other servers to reconnect, in ms. */
  get returnTime(): number {
    return Math.max(0, this.#backAt + RETURN_TIME - performance.now());
  }

  /** Names the refusal, if one prevents questions to other servers. */
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

  /** Asks the backend itself. Rejects as soon as it is unreachable: whether it has done what was asked is not known then. */
  async reach<Answer>(question: () => Promise<Answer>): Promise<Answer> {
    if (!this.isAnswering) throw this.error();
    return this.ask(question, () => this.isAnswering);
  }

  /** Sends a pulse at once, when it is likely to come back. */
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
    if (this.#hasContact) return;
    this.#hasContact = true;
    this.onContact(); // after the end of the outage: before, messages would be dropped
    this.setReachable();
  }

  /** To be called when the backend has answered a pulse with a temporary error, for example during a failover. */
  protected onPulseError(error: Error): void {
    this.#pulseError = error;
  }

  /**
   * To be called when the backend refuses a command that is needed. Each problem is one line of log, and another one when it ends. Meanwhile,
   * questions to other servers fail if the refusal has `stopsQuestions`.
   */
  protected refuse(refusal: Refusal): void {
    if (this.isClosed) return;
    debug.backplane('%s %s: %s', this.name, refusal.problem, refusal.error.message);
    this.#refusals.add(refusal);
    this.losses.count++; // it may be of what others have sent, or of what they are to get
    if (refusal.losesMessage) this.losses.ofOthers();
    this.setOpened();
    if (refusal.stopsQuestions) this.failWaiting();
  }

  /** To be called when the backend allows a command again, if its refusal has no `retry`. */
  protected permit(problem: string): void {
    this.#refusals.remove(problem);
  }

  /** To be called when the backend has refused a pulse, or cannot send it back: it is running. */
  protected onPulseRefused(): void {
    this.#unanswered = 0;
  }

  /** To be called when the backend refuses the connection: an outage with the code of refusals. */
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

  /** The source of a namespace's messages, for the log. */
  abstract channelOf(nsp: string): string;
  /** Whether everything works that an outage interrupts, such as subscriptions. The outage does not end before. */
  protected get isComplete(): boolean {
    return true;
  }
  /** Called when the first pulse has come back, at the boot and after each outage: messages can be sent. */
  protected onContact(): void {}
  /** Sends a pulse, and calls `onPulse` with its number when it comes back. Must not throw. */
  protected abstract sendPulse(pulse: number): void;
  /** Replaces connections that are open but do not answer. */
  protected abstract reconnect(): void;
  /** Called every `PULSE_INTERVAL`, unlike `sendPulse`: some pulses are sent at once. */
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
