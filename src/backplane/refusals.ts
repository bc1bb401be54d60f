/** Commands that a running backend refuses. Each refusal is one line of log at its beginning, and one at its end. */
import type { Logger } from '../egg';
import { messageOf, type RefusedCode } from '../errors';

/** A refused command. The texts are parts of log lines. */
export interface Refusal {
  /** The problem, to follow the name of the backend: `refuses PUBLISH`. Each problem is logged separately. */
  readonly problem: string;
  /** The end of the problem: `allows PUBLISH again`. */
  readonly solved: string;
  /** The effect of the problem: `events of this server do not reach clients of other servers`. */
  readonly effect: string;
  /** The remedy for the operator: `give the user +publish`. */
  readonly remedy: string;
  /** The error of the backend, with the command. */
  readonly error: Error;
  /** Whether other servers cannot be asked until the end: questions then fail with the code of refusals. */
  readonly stopsQuestions: boolean;
  /** Whether this refusal has lost a message. Their number is logged at the end. */
  readonly losesMessage?: boolean;
  /** What is lost, for the log. Default: `messages to other servers`. */
  readonly lost?: string;
  /**
   * Called once a second to try again. Resolves when the backend allows the command; rejections are not logged.
   * Default: the refusal ends when `permit` is called.
   */
  readonly retry?: () => Promise<unknown>;
}

/** Time between two attempts of a refused command, in ms. */
const RETRY_DELAY = 1000;

export class Refusals {
  readonly #name: string;
  readonly #code: RefusedCode;
  readonly #logger: Logger;
  /** By problem; `lost` is the number of messages. */
  readonly #current = new Map<string, { refusal: Refusal; stopsQuestions: boolean; lost: number; isTrying: boolean }>();
  readonly #onEnd: () => void;
  /** Set while there are refusals with `retry`. */
  #timer: NodeJS.Timeout | undefined;

  /**
   * @param name the name of the backend, for example `Redis at 127.0.0.1:6379`
   * @param onEnd called at the end of each refusal
   */
  constructor(name: string, code: RefusedCode, logger: Logger, onEnd: () => void) {
    this.#name = name;
    this.#code = code;
    this.#logger = logger;
    this.#onEnd = onEnd;
  }

  /** The latest refusal that stops questions. */
  get ofQuestions(): Refusal | undefined {
    return [...this.#current.values()].findLast(({ stopsQuestions }) => stopsQuestions)?.refusal;
  }

  get stopsQuestions(): boolean {
    if (this.#current.size === 0) return false;
    return this.ofQuestions !== undefined;
  }

  /** Adds a refusal, and logs it if its problem is new. */
  add(refusal: Refusal): void {
    const { problem, effect, remedy, error, stopsQuestions, losesMessage = false, retry } = refusal;
    const known = this.#current.get(problem);
    const lost = losesMessage ? 1 : 0;
    if (known) {
      known.refusal = refusal;
      known.stopsQuestions ||= stopsQuestions;
      known.lost += lost;
    } else {
      this.#current.set(problem, { refusal, stopsQuestions, lost, isTrying: false });
      this.#logger.error(messageOf(this.#code, `${this.#name} ${problem}; ${effect} until that is over; ${remedy}`), error);
    }
    if (retry) this.#timer ??= setInterval(() => this.#retry(), RETRY_DELAY).unref();
  }

  /** Removes the refusal with this problem, if there is one, and logs its end. */
  remove(problem: string): void {
    const known = this.#current.get(problem);
    if (!known) return;
    this.#current.delete(problem);
    const { refusal, lost } = known;
    const count = lost > 0 ? `; ${refusal.lost ?? 'messages to other servers'} lost meanwhile: ${lost}` : '';
    this.#logger.info('[egg-socket.io] %s %s%s', this.#name, refusal.solved, count);
    if (this.#current.size === 0) this.close();
    this.#onEnd();
  }

  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #retry(): void {
    for (const [problem, known] of this.#current) {
      const { refusal, isTrying } = known;
      if (!refusal.retry || isTrying) continue;
      known.isTrying = true;
      refusal
        .retry()
        .then(
          () => this.remove(problem),
          () => {}, // still refused, or not connected
        )
        .finally(() => (known.isTrying = false));
    }
  }
}
