/** Limits log lines that others can cause at will: the first lines of a kind are written, the rest are counted and written as one line. */

/** The options of `LogLimit`. */
export interface LogLimitOptions {
  /** The period in ms over which lines of a kind are counted. */
  readonly interval: number;
  /** The number of lines of a kind to write in full in each interval. Default: 1. */
  readonly lines?: number;
  /** The number of kinds to distinguish in an interval. All others count as one kind. Default: 1000. */
  readonly kinds?: number;
}

interface Kind {
  lines: number;
  /** The number of lines that were not written. */
  count: number;
  summarize: (count: number) => void;
}

export class LogLimit {
  readonly #interval: number;
  readonly #maxLines: number;
  readonly #maxKinds: number;
  readonly #kinds = new Map<string, Kind>();
  /** Set during an interval, which begins with its first line. */
  #timer: NodeJS.Timeout | undefined;

  constructor({ interval, lines = 1, kinds = 1000 }: LogLimitOptions) {
    this.#interval = interval;
    this.#maxLines = lines;
    this.#maxKinds = kinds;
  }

  /**
   * @param name the kind of the line, such as its place and message
   * @param write writes the line; called at once or never
   * @param summarize writes one line for all that were not written; at the end of the interval, the latest one of each kind is called
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

  /** The same where the latest line stands for the rest. For an interval of a minute. */
  logLatest(name: string, problem: string, write: (text: string) => void): void {
    this.log(
      name,
      () => write(problem),
      count => write(`${count} more in the last minute, the latest: ${problem}`),
    );
  }

  /** Ends the interval and writes the pending counts. To be called when the app closes. */
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
