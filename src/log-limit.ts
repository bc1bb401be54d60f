/** Lines of log that others can cause at will: the first ones of a kind are written, the rest are counted and written as one line. */

/** Of `LogLimit`. */
export interface LogLimitOptions {
  /** How long the lines of a kind are counted together, in ms. */
  readonly interval: number;
  /** How many lines of a kind are written in full in each interval. Default: 1. */
  readonly lines?: number;
  /** How many kinds are told apart in an interval; all further ones count as one kind. Default: 1000. */
  readonly kinds?: number;
}

interface Kind {
  lines: number;
  /** Those that have not been written. */
  count: number;
  summarize: (count: number) => void;
}

export class LogLimit {
  readonly #interval: number;
  readonly #maxLines: number;
  readonly #maxKinds: number;
  readonly #kinds = new Map<string, Kind>();
  /** Set while there are kinds: an interval begins with its first line. */
  #timer: NodeJS.Timeout | undefined;

  constructor({ interval, lines = 1, kinds = 1000 }: LogLimitOptions) {
    this.#interval = interval;
    this.#maxLines = lines;
    this.#maxKinds = kinds;
  }

  /**
   * @param name what the lines of a kind have in common, as place and message
   * @param write writes the line; called at once, or never
   * @param summarize writes one line for those that were not written; the latest one of its kind is called, when the interval ends
   */
  log(name: string, write: () => void, summarize: (count: number) => void): void {
    const kind = this.#kindOf(name);
    if (kind.lines < this.#maxLines) {
      kind.lines++;
      write();
      return;
    }
    kind.count++;
    kind.summarize = summarize;
  }

  /** Ends the interval now: what has been counted is written. To be called when the app closes. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const kinds = [...this.#kinds.values()];
    this.#kinds.clear();
    for (const { count, summarize } of kinds) if (count > 0) summarize(count);
  }

  #kindOf(name: string): Kind {
    const key = this.#kinds.has(name) || this.#kinds.size < this.#maxKinds ? name : '';
    let kind = this.#kinds.get(key);
    if (!kind) {
      kind = { lines: 0, count: 0, summarize: () => {} };
      this.#kinds.set(key, kind);
    }
    this.#timer ??= setTimeout(() => this.flush(), this.#interval).unref();
    return kind;
  }
}
