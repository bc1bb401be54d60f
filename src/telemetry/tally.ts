/** Counts by attributes. */
import { type Attributes, BOUNDS, type Point } from './names';

/** The value of an attribute that stands for all others: of OpenTelemetry's conventions. */
export const OTHER = '_OTHER';

/** Words that the app chooses, such as codes, and of which nobody knows the number: the first hundred short ones, and `_OTHER` for the rest. */
export class Words {
  readonly #known = new Set<string>();

  bound(word: string): string {
    if (this.#known.has(word)) return word;
    if (this.#known.size >= 100 || word.length > 100) return OTHER;
    this.#known.add(word);
    return word;
  }
}

/** A sum for each set of attributes. */
export class Tally {
  readonly #sums = new Map<string, { readonly attributes: Attributes; value: number }>();

  add(attributes: Attributes, count = 1): void {
    const key = keyOf(attributes);
    const sum = this.#sums.get(key);
    if (sum) sum.value += count;
    else this.#sums.set(key, { attributes, value: count });
  }

  get points(): Point[] {
    return [...this.#sums.values()];
  }
}

/** A histogram for each object of attributes: the same attributes are the same object. */
export class Durations {
  readonly #series = new Map<Attributes, { readonly counts: number[]; sum: number }>();

  /** @param duration in s */
  add(attributes: Attributes, duration: number): void {
    let series = this.#series.get(attributes);
    if (!series) {
      series = { counts: [...BOUNDS, 0].map(() => 0), sum: 0 };
      this.#series.set(attributes, series);
    }
    const { counts } = series;
    const above = BOUNDS.findIndex(bound => duration <= bound);
    const index = above === -1 ? BOUNDS.length : above;
    counts[index] = (counts[index] ?? 0) + 1;
    series.sum += duration;
  }

  get points(): Point[] {
    return [...this.#series].map(([attributes, value]) => ({ attributes, value }));
  }
}

function keyOf(attributes: Attributes): string {
  return JSON.stringify(attributes);
}
