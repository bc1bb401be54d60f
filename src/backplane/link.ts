/**
 * The way to the other servers, whatever it is made of, and whether it is open. What happens to it never reaches local clients:
 * an outage is one line of log, its end another, and who has to hear from other servers is told so at once.
 */
import { Answers } from './answer';
import { Inbox } from './backend-message';
import type { Fallible } from './wrappers/broadcast';
import type { AdapterFactory } from '../config/settings';
import type { Logger } from '../egg';
import { type LinkCode, messageOf, OutageError } from '../errors';

/** How often a message is sent around to see whether it comes back, in ms. */
const PULSE = 200;
/** After so many of them in vain, other servers cannot be asked any more: those who wait hear it within a second. */
const SILENCE = 3;
/** After so many, it is an outage: nothing is sent until one comes back. Also how long the boot waits, and a connection has time: 2 s. */
const OUTAGE = 10;

/** How long what the other end has refused for want of a permission counts as an outage, in ms, where nothing tells when it is permitted. */
const REFUSAL = 60_000;

/** How long a connection may take to be made, in ms. */
export const CONNECT_PATIENCE = OUTAGE * PULSE;

export abstract class Link implements Fallible {
  abstract readonly createAdapter: AdapterFactory;
  readonly localPatience = 200;
  readonly logger: Logger;
  readonly inbox: Inbox;
  readonly answers: Answers;
  readonly #code: LinkCode;
  readonly #name: string;
  /** Counts pulses rather than ms, so that what keeps this process busy is no outage of something else. */
  #missed = 0;
  #sent = 0;
  /** What was sent before an outage says nothing of the time after it. */
  #expected = 1;
  #timer: NodeJS.Timeout | undefined;
  #isDown = false;
  #hasContact = false;
  /** What the other end has said to the latest pulse, where it has refused that. */
  #refusal: Error | undefined;
  /** Until when each of the things that the other end refuses to do counts as refused. */
  readonly #refused = new Map<string, number>();
  #lost = 0;
  readonly #waiting = new Set<() => void>();
  #booted: () => void = () => {};

  /** @param name what is at the other end and where, as `Redis at 127.0.0.1:6379` */
  constructor(name: string, code: LinkCode, logger: Logger) {
    this.#name = name;
    this.#code = code;
    this.logger = logger;
    this.inbox = new Inbox(logger, name);
    this.answers = new Answers(logger);
  }

  /** Whether there is an outage: what is sent now reaches nobody. */
  get isDown(): boolean {
    return this.#isDown;
  }

  /** Whether others can be asked something, and answer within a second. */
  get isSilent(): boolean {
    return this.#isDown || this.#missed >= SILENCE;
  }

  /** Starts to watch. Resolves when the other end is there, or when the boot should not wait any longer. */
  async ready(): Promise<void> {
    this.#timer = setInterval(() => this.#watch(), PULSE).unref();
    await new Promise<void>(resolve => {
      this.#booted = resolve;
      if (this.#isDown) resolve();
      this.pulse();
    });
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#isDown = true;
    this.#booted();
    this.#giveUp();
    await this.disconnect();
    this.inbox.close();
    this.answers.close();
  }

  /** Asks other servers. Rejects when that has become impossible. */
  async ask<Answer>(work: () => Promise<Answer>): Promise<Answer> {
    let giveUp = (): void => {};
    const silence = new Promise<never>((_, reject) => {
      giveUp = () => reject(this.error());
      this.#waiting.add(giveUp);
    });
    if (this.isSilent) giveUp();
    try {
      return await Promise.race([silence, work()]);
    } finally {
      this.#waiting.delete(giveUp);
    }
  }

  /** Calls back when others cannot be asked any more. Returns how to take that back. */
  onSilence(callback: () => void): () => void {
    if (this.isSilent) process.nextTick(callback);
    else this.#waiting.add(callback);
    return () => this.#waiting.delete(callback);
  }

  error(cause?: unknown): OutageError {
    return new OutageError(
      this.#code,
      'the other servers cannot be asked; `local` asks this one alone',
      cause === undefined ? {} : { cause },
    );
  }

  /** A message that has reached nobody else. */
  countLost(): void {
    this.#lost++;
  }

  /** The other end has answered a pulse with an error: it may do better the next time, as a Cluster that is choosing a new master. */
  protected refusePulse(error: Error): void {
    this.#refusal = error;
  }

  /** The other end is there, and will not do something that is needed. */
  protected refuse(what: string, error: Error, isTriedAgain: boolean): void {
    this.#refused.set(what, isTriedAgain ? Number.POSITIVE_INFINITY : performance.now() + REFUSAL);
    this.goDown(error, `${this.#name} refuses what is needed`);
  }

  /** It does now what it has refused to do. */
  protected permit(what: string): void {
    this.#refused.delete(what);
  }

  /** Something is wrong. What is the first to say so is logged, with its error. */
  protected goDown(error: Error, what = `no ${this.#name}`): void {
    if (this.#isDown) return;
    this.#isDown = true;
    this.#hasContact = false;
    this.#expected = this.#sent + 1;
    const problem = `${what}; clients of this server are served, those of other servers are not reached until it is back`;
    this.logger.error(messageOf(this.#code, problem), error);
    this.#booted();
    this.#giveUp();
  }

  /** Sends a pulse now: there is reason to think that it comes back. */
  protected pulse(): void {
    this.#sent++;
    this.sendPulse(this.#sent);
  }

  /** A pulse has come back. */
  protected comeBack(pulse: number): void {
    if (pulse < this.#expected || !this.#timer) return;
    this.#missed = 0;
    this.#refusal = undefined;
    this.#booted();
    if (this.#isRefused) return;
    if (!this.#hasContact) this.onContact();
    this.#hasContact = true;
    if (!this.#isDown) return;
    this.#isDown = false;
    this.logger.info('[egg-socket.io] %s is back; %d messages to other servers were lost meanwhile', this.#name, this.#lost);
    this.#lost = 0;
  }

  /** The first pulse has come back, or the first after an outage. */
  protected onContact(): void {}
  /** Sends a pulse on its way, for `comeBack` to be called with it. Must not throw. */
  protected abstract sendPulse(pulse: number): void;
  /** Makes connections anew that are there but do not answer. */
  protected abstract reconnect(): void;
  protected abstract disconnect(): Promise<void> | void;

  get #isRefused(): boolean {
    for (const [what, until] of this.#refused) if (performance.now() > until) this.#refused.delete(what);
    return this.#refused.size > 0;
  }

  #watch(): void {
    this.#missed++;
    if (this.#missed === SILENCE) this.#giveUp();
    if (this.#missed % OUTAGE === 0) {
      this.goDown(this.#refusal ?? new Error(`no answer in ${CONNECT_PATIENCE} ms`));
      this.reconnect();
    }
    this.pulse();
  }

  #giveUp(): void {
    for (const giveUp of this.#waiting) giveUp();
    this.#waiting.clear();
  }
}
