/**
 * A backplane that finds outages by pulses: messages that it sends to itself by way of the backend, several times a second. Pulses are counted
 * rather than ms, so that a process that is busy does not take its own delay for an outage.
 */
import { Backplane } from './backplane';
import type { Logger } from '../egg';
import type { PulsedCode } from '../errors';

/** Time between two pulses, in ms. */
export const PULSE_INTERVAL = 200;
/** After so many pulses without an answer, calls that wait for other servers fail: within a second. */
const UNREACHABLE_AFTER = 3;
/** After so many pulses without an answer it is an outage: nothing is sent until one comes back. The boot waits no longer either. */
const OUTAGE_AFTER = 10;

/** How long a permission that the backend has refused counts as an outage, in ms, where nothing tells when it is given. */
const REFUSAL_TIME = 60_000;

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
  /** The error with which the backend has answered the latest pulse. */
  #pulseError: Error | undefined;
  /** By each thing that the backend refuses to do: until when that counts. */
  readonly #refused = new Map<string, number>();

  /** @param name what is at the other end and where, as `Redis at 127.0.0.1:6379` */
  constructor(name: string, code: PulsedCode, logger: Logger) {
    super({ name, peers: 'servers', code, logger });
  }

  get isReachable(): boolean {
    return !this.isDown && this.#unanswered < UNREACHABLE_AFTER;
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
    if (this.#isRefused || !this.isComplete) return;
    if (this.isDown) this.endOutage();
    if (!this.#hasContact) this.onContact(); // after that, since what it sends would be dropped
    this.#hasContact = true;
  }

  /** To be called when the backend has answered a pulse with an error that may pass, as a Cluster that is choosing a new master. */
  protected onPulseError(error: Error): void {
    this.#pulseError = error;
  }

  /** To be called when the backend refuses something that is needed. @param isTriedAgain whether `permit` is called once it does it */
  protected refuse(what: string, error: Error, isTriedAgain: boolean): void {
    this.#refused.set(what, isTriedAgain ? Number.POSITIVE_INFINITY : performance.now() + REFUSAL_TIME);
    this.beginOutage(error, `${this.name} refuses what is needed`);
  }

  /** To be called when the backend does something that it has refused before. */
  protected permit(what: string): void {
    this.#refused.delete(what);
  }

  protected override beginOutage(error: Error, problem?: string): void {
    if (this.isDown) return;
    this.#hasContact = false;
    this.#expected = this.#sent + 1;
    super.beginOutage(error, problem);
  }

  /** To be called with the error of a message that could not be published, where the adapter does not report it itself. */
  onPublishError(_error: Error): void {}
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

  get #isRefused(): boolean {
    for (const [what, until] of this.#refused) if (performance.now() > until) this.#refused.delete(what);
    return this.#refused.size > 0;
  }

  #watch(): void {
    this.#unanswered++;
    if (this.#unanswered === UNREACHABLE_AFTER) this.failWaiting();
    if (this.#unanswered % OUTAGE_AFTER === 0) {
      this.beginOutage(this.#pulseError ?? new Error(`no answer in ${CONNECT_TIMEOUT} ms`));
      this.reconnect();
    }
    this.pulse();
  }
}
