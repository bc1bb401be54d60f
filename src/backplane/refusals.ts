/** What a backend does not do though it answers: each is one line of log when it begins, and one when it is over. */
import type { Logger } from '../egg';
import { messageOf, type RefusedCode } from '../errors';

/** Something that the backend does not do. The texts are parts of lines of log. */
export interface Refusal {
  /** What is wrong, after the name of the backend: `refuses PUBLISH`. Each problem is logged by itself. */
  readonly problem: string;
  /** The same when it is over: `allows PUBLISH again`. */
  readonly solved: string;
  /** What does not work meanwhile: `what this server emits does not reach clients of other servers`. */
  readonly effect: string;
  /** What the operator can do about it: `give the user +publish`. */
  readonly remedy: string;
  /** In the words of the backend, with the command. */
  readonly error: Error;
  /** Whether other servers cannot be asked meanwhile: questions fail with the code of refusals. */
  readonly stopsQuestions: boolean;
  /** Whether a message to other servers is lost with this one. The line that says that it is over has their number, if there were any. */
  readonly losesMessage?: boolean;
  /**
   * Tries again, once a second, whatever else is sent meanwhile; resolves when the backend does it again. Its rejections are not logged.
   * Default: it is over when `permit` is called.
   */
  readonly retry?: () => Promise<unknown>;
}

/** How long until what was refused is tried again, in ms. */
const RETRY_DELAY = 1000;

export class Refusals {
  readonly #name: string;
  readonly #code: RefusedCode;
  readonly #logger: Logger;
  /** By problem; `lost` is the number of messages. */
  readonly #current = new Map<string, { refusal: Refusal; stopsQuestions: boolean; lost: number; isTrying: boolean }>();
  readonly #onEnd: () => void;
  /** Set while there are any that are tried again. */
  #timer: NodeJS.Timeout | undefined;

  /**
   * @param name of the backend, as `Redis at 127.0.0.1:6379`
   * @param onEnd called when one is over
   */
  constructor(name: string, code: RefusedCode, logger: Logger, onEnd: () => void) {
    this.#name = name;
    this.#code = code;
    this.#logger = logger;
    this.#onEnd = onEnd;
  }

  /** The latest one that stops questions. */
  get ofQuestions(): Refusal | undefined {
    return [...this.#current.values()].findLast(({ stopsQuestions }) => stopsQuestions)?.refusal;
  }

  get stopsQuestions(): boolean {
    if (this.#current.size === 0) return false;
    return this.ofQuestions !== undefined;
  }

  /** Logs it, if its problem is new. */
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

  /** Logs that one is over, if there is such a one. */
  remove(problem: string): void {
    const known = this.#current.get(problem);
    if (!known) return;
    this.#current.delete(problem);
    const { refusal, lost } = known;
    const count = lost > 0 ? `; ${lost} messages to other servers were lost meanwhile` : '';
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
          () => {}, // it is refused still, or there is no connection
        )
        .finally(() => (known.isTrying = false));
    }
  }
}
