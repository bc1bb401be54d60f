/** Reads a page of metrics for Prometheus. */
import assert from 'node:assert/strict';

const LINE = /^([a-z_]+)(?:\{(.*)\})? (\S+)$/;
const LABEL = /([a-z_]+)="((?:[^"\\]|\\.)*)"/g;

interface Series {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** The sums of series by their labels. */
export class Scraped {
  readonly #series: readonly Series[];

  constructor(text: string) {
    this.#series = text
      .split('\n')
      .filter(line => line !== '' && !line.startsWith('#'))
      .map(line => {
        const [, name, labels = '', value] = LINE.exec(line) ?? [];
        assert.ok(name !== undefined, line);
        return {
          name,
          labels: Object.fromEntries([...labels.matchAll(LABEL)].map(([, label, text]) => [label, text])),
          value: Number(value),
        };
      });
  }

  get names(): Set<string> {
    return new Set(this.#series.map(({ name }) => name));
  }

  /** The different values of a label. */
  labels(label: string): string[] {
    return [...new Set(this.#series.flatMap(({ labels }) => labels[label] ?? []))];
  }

  /** The sum of all series of a metric with these labels. Undefined if there is none. */
  sum(name: string, wanted: Readonly<Record<string, string>> = {}): number | undefined {
    const found = this.#series.filter(
      series => series.name === name && Object.entries(wanted).every(([label, text]) => series.labels[label] === text),
    );
    return found.length === 0 ? undefined : found.reduce((sum, { value }) => sum + value, 0);
  }
}

export async function scrape(port: number): Promise<Scraped> {
  const response = await fetch(`http://127.0.0.1:${port}/metrics`);
  assert.equal(response.status, 200);
  assert.equal(response.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8');
  return new Scraped(await response.text());
}
