/**
 * The way to other processes, which all namespaces share: the hub to the other workers of this machine, Redis or a database to other servers.
 * An outage never reaches local clients. It is one line of log, its end is another, and what waits for other processes fails at once.
 */
import { Answers } from './answer';
import type { AdapterFactory } from '../config/options';
import type { Logger } from '../egg';
import { messageOf, type OutageCode, OutageError } from '../errors';
import { Inbox } from './inbox';

interface Description {
  /** What carries the messages, as `Redis at 127.0.0.1:6379`. */
  readonly name: string;
  /** Which processes it leads to. */
  readonly peers: 'servers' | 'workers';
  /** The code of its outages. */
  readonly code: OutageCode;
  readonly logger: Logger;
}

export abstract class Backplane {
  /** Makes the adapter of a namespace, to be wrapped as wrappers/table.ts says. */
  abstract readonly createAdapter: AdapterFactory;
  /** How long local clients may still take to acknowledge a broadcast once other processes cannot be asked any more, in ms. */
  abstract readonly localTimeout: number;
  /** Whether other processes can be asked: an answer is likely to come. */
  abstract get isReachable(): boolean;
  readonly name: string;
  readonly logger: Logger;
  /** Logs the messages of other processes that cannot be used. */
  readonly inbox: Inbox;
  /** Makes answers to other processes that can be encoded. */
  readonly answers: Answers;
  /** Resolves when the backplane is open, or the first outage has begun, or it closes. */
  protected readonly opened: Promise<void>;
  readonly #peers: Description['peers'];
  readonly #code: OutageCode;
  readonly #waiting = new Set<() => void>();
  #setOpened: () => void = () => {};
  #isDown = false;
  #isClosed = false;
  /** The codes of the current outage, and the latest one. */
  readonly #logged = new Set<OutageCode>();
  #outageCode: OutageCode;
  #lost = 0;

  constructor({ name, peers, code, logger }: Description) {
    this.name = name;
    this.#peers = peers;
    this.#code = code;
    this.#outageCode = code;
    this.logger = logger;
    this.inbox = new Inbox(logger, name, peers === 'workers' ? 'worker' : 'channel');
    this.answers = new Answers(logger);
    this.opened = new Promise(resolve => (this.#setOpened = resolve));
  }

  /** Whether there is an outage: what is sent now reaches nobody. So it is once the backplane is closed. */
  get isDown(): boolean {
    return this.#isDown;
  }

  protected get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Resolves when it is open, or when the boot should not wait any longer. */
  abstract ready(): Promise<void>;

  /** Ends it. What waits for other processes fails. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#isDown = true;
    this.#setOpened();
    this.failWaiting();
    await this.disconnect();
    this.inbox.close();
    this.answers.close();
  }

  /** Asks other processes. Rejects as soon as they cannot be asked any more. */
  async ask<Answer>(question: () => Promise<Answer>): Promise<Answer> {
    let fail = (): void => {};
    const unreachable = new Promise<never>((_, reject) => {
      fail = () => reject(this.error());
      this.#waiting.add(fail);
    });
    if (!this.isReachable) fail();
    try {
      return await Promise.race([unreachable, question()]);
    } finally {
      this.#waiting.delete(fail);
    }
  }

  /** Calls back once, when other processes cannot be asked any more. Returns a function that takes the callback back. */
  onUnreachable(callback: () => void): () => void {
    if (this.isReachable) this.#waiting.add(callback);
    else process.nextTick(callback);
    return () => this.#waiting.delete(callback);
  }

  /** The error of a call that other processes cannot answer. */
  error(cause?: unknown): OutageError {
    return this.createError(this.#outageCode, '', cause);
  }

  /** To be called for each message that has reached no other process. The end of the outage logs how many there were. */
  countLost(): void {
    this.#lost++;
  }

  protected abstract disconnect(): Promise<void> | void;

  /** The boot need not wait any longer. */
  protected setOpened(): void {
    this.#setOpened();
  }

  /** @param reason begins the sentence, as `Redis refuses PUBLISH: ` */
  protected createError(code: OutageCode, reason: string, cause: unknown): OutageError {
    const problem = `${reason}the other ${this.#peers} cannot be asked; \`local\` asks this one alone`;
    return new OutageError(code, problem, cause === undefined ? {} : { cause });
  }

  /**
   * Logs the beginning of an outage, with its error. What follows until its end is not logged, but for the first of another code:
   * a Redis that comes back with another password is not down any more, and is of no use yet.
   * @param problem what is wrong, as `no Redis at 127.0.0.1:6379`
   */
  protected beginOutage(error: Error, problem = `no ${this.name}`, code = this.#code): void {
    if (this.#isClosed || this.#logged.has(code)) return;
    this.#logged.add(code);
    this.#outageCode = code;
    this.#isDown = true;
    const process = this.#peers.slice(0, -1);
    const effect = `clients of this ${process} are served, those of other ${this.#peers} are not reached until it is back`;
    this.logger.error(messageOf(code, `${problem}; ${effect}`), error);
    this.#setOpened();
    this.failWaiting();
  }

  /** Logs the end of an outage, if there is one. */
  protected endOutage(): void {
    if (this.#isDown)
      this.logger.info('[egg-socket.io] %s is back; %d messages to other %s were lost meanwhile', this.name, this.#lost, this.#peers);
    this.#isDown = false;
    this.#logged.clear();
    this.#outageCode = this.#code;
    this.#lost = 0;
  }

  /** Calls back all who wait for other processes. */
  protected failWaiting(): void {
    for (const fail of this.#waiting) fail();
    this.#waiting.clear();
  }
}
