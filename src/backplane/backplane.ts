/**
 * The connection to other processes, shared by all namespaces: by the hub to other workers of this machine, by Redis or a database to other
 * servers. An outage does not affect local clients. Its beginning and end are a line of log each, and questions to others fail at once.
 */
import { Answers } from './answer';
import { Departure } from './departure';
import type { AdapterFactory } from '../config/options';
import { debug } from '../debug';
import type { Logger } from '../egg';
import { messageOf, type OutageCode, OutageError } from '../errors';
import { Inbox } from './inbox';
import type { Kept } from './kept';
import { Losses } from './losses';

interface Description {
  /** The name of the backend, for example `Redis at 127.0.0.1:6379`. */
  readonly name: string;
  /** The processes at the other end. */
  readonly peers: 'servers' | 'workers';
  /** The code of its outages. */
  readonly code: OutageCode;
  readonly logger: Logger;
}

export abstract class Backplane {
  /** Creates the adapter of a namespace, without the wrappers of wrappers/table.ts. */
  abstract readonly createAdapter: AdapterFactory;
  /** Time in ms for local clients to acknowledge a broadcast after other processes have become unreachable. */
  abstract readonly localTimeout: number;
  /** Whether other processes can be asked. */
  abstract get isReachable(): boolean;
  readonly kept: Kept = {};
  readonly departure = new Departure();
  readonly name: string;
  readonly logger: Logger;
  /** Logs unusable messages of other processes. */
  readonly inbox: Inbox;
  /** Creates answers to other processes that can be encoded. */
  readonly answers: Answers;
  /** In each outage, messages may have been lost in both directions. */
  readonly losses = new Losses(() => this.isReachable);
  /** Resolves when the backplane is open, when the first outage begins, or when the backplane closes. */
  protected readonly opened: Promise<void>;
  readonly #peers: Description['peers'];
  readonly #code: OutageCode;
  /** Called when other processes become unreachable, except while the second function returns true. */
  readonly #waiting = new Map<() => void, (() => boolean) | undefined>();
  readonly #onReachable = new Set<() => void>();
  #setOpened: () => void = () => {};
  #isDown = false;
  #wasReachable = false;
  #isClosed = false;
  /** The codes that have been logged for the current outage, and the latest one. */
  readonly #logged = new Set<OutageCode>();
  #outageCode: OutageCode;
  #lostBefore = 0; // the number of lost messages when the latest outage ended

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

  /** Whether other processes receive nothing: during an outage, and after the backplane has closed. */
  get isDown(): boolean {
    return this.#isDown;
  }

  /** Whether messages could be sent at any time until now. */
  get wasReachable(): boolean {
    return this.#wasReachable;
  }

  protected get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Resolves when the backplane is open, or when the boot should not wait any longer. */
  abstract ready(): Promise<void>;

  /** Disconnects. Questions that wait for other processes fail. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#isDown = true;
    this.#setOpened();
    this.failWaiting();
    this.losses.close();
    await this.disconnect();
    this.inbox.close();
    this.answers.close();
  }

  /** Asks other processes. Rejects when they become unreachable. @param isPossible whether the answer may still come. Default: while they are reachable */
  async ask<Answer>(question: () => Promise<Answer>, isPossible?: () => boolean): Promise<Answer> {
    let fail = (): void => {};
    const unreachable = new Promise<never>((_, reject) => {
      fail = () => reject(this.error());
      this.#waiting.set(fail, isPossible);
    });
    if (!(isPossible?.() ?? this.isReachable)) fail();
    try {
      return await Promise.race([unreachable, question()]);
    } finally {
      this.#waiting.delete(fail);
    }
  }

  /** Calls back once when other processes become unreachable, or in the next tick if they are. Returns a function that cancels this. */
  onUnreachable(callback: () => void): () => void {
    if (this.isReachable) this.#waiting.set(callback, undefined);
    else process.nextTick(callback);
    return () => this.#waiting.delete(callback);
  }

  /** Registers a function that is called whenever messages can be sent again: after each outage. Returns a function that cancels this. */
  onReachable(callback: () => void): () => void {
    this.#onReachable.add(callback);
    return () => this.#onReachable.delete(callback);
  }

  /** The error of a question that other processes cannot answer. */
  error(cause?: unknown): OutageError {
    return this.createError(this.#outageCode, '', cause);
  }

  /** To be called for each message to other processes that is lost. Their number is logged at the end of the outage. */
  countLost(): void {
    this.losses.messages++;
    this.losses.ofOthers();
  }

  /** To be called when messages can be sent: at the boot, and after each outage. */
  protected setReachable(): void {
    debug.backplane('%s: messages can be sent', this.name);
    this.#wasReachable = true;
    for (const callback of this.#onReachable) callback();
    if (this.losses.count > 0) this.losses.tell(); // also what was on its way when the outage began
  }

  protected abstract disconnect(): Promise<void> | void;

  /** To be called when the boot need not wait any longer. */
  protected setOpened(): void {
    this.#setOpened();
  }

  /** @param reason the beginning of the message, for example `Redis refuses PUBLISH: ` */
  protected createError(code: OutageCode, reason: string, cause: unknown): OutageError {
    const problem = `${reason}the other ${this.#peers} cannot be asked; \`local\` asks this one alone`;
    return new OutageError(code, problem, cause === undefined ? {} : { cause });
  }

  /**
   * Logs the beginning of an outage with its error. Until the outage ends, further errors are logged only once for each other code:
   * for example, a Redis that returns with another password is not down any more, but unusable.
   * @param problem the beginning of the message, for example `no Redis at 127.0.0.1:6379`
   */
  protected beginOutage(error: Error, problem = `no ${this.name}`, code = this.#code): void {
    if (this.#isClosed) return;
    debug.backplane('%s: outage, %s: %s', this.name, code, error.message);
    if (this.#logged.has(code)) return;
    this.#logged.add(code);
    this.#outageCode = code;
    if (!this.#isDown) this.losses.beginOutage();
    this.#isDown = true;
    const effect = `clients of this ${this.#peers.slice(0, -1)} are served, those of other ${this.#peers} are not reached until it is back`;
    this.logger.error(messageOf(code, `${problem}; ${effect}`), error);
    this.#setOpened();
    this.failWaiting();
  }

  /** Logs the end of an outage, if there is one. */
  protected endOutage(): void {
    const lost = this.losses.messages - this.#lostBefore;
    if (this.#isDown) this.logger.info('[egg-socket.io] %s is back; messages to other %s lost meanwhile: %d', this.name, this.#peers, lost);
    this.#isDown = false;
    this.#logged.clear();
    this.#outageCode = this.#code;
    this.#lostBefore = this.losses.messages;
  }

  /** Fails all questions that wait for other processes. */
  protected failWaiting(): void {
    for (const [fail, isPossible] of this.#waiting) {
      if (isPossible?.()) continue;
      this.#waiting.delete(fail);
      fail();
    }
  }
}
