/** Starts Debian's Prometheus, and asks it. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { freePort } from './port';
import { until } from './until';

interface Answer {
  readonly status: string;
  readonly data: {
    readonly result: readonly { readonly metric: Readonly<Record<string, string>>; readonly value: readonly [number, string] }[];
  };
}

export class Prometheus {
  readonly #url: string;

  private constructor(url: string) {
    this.#url = url;
  }

  /** It scrapes a port of this machine once a second. */
  static async start(t: TestContext, target: number): Promise<Prometheus> {
    const folder = await mkdtemp(join(tmpdir(), 'prometheus-'));
    const port = await freePort();
    const config = {
      global: { scrape_interval: '1s' },
      scrape_configs: [{ job_name: 'chat', static_configs: [{ targets: [`127.0.0.1:${target}`] }] }],
    };
    await writeFile(join(folder, 'prometheus.yml'), JSON.stringify(config)); // YAML has JSON within it
    const process: ChildProcess = spawn(
      'prometheus',
      [`--config.file=${folder}/prometheus.yml`, `--storage.tsdb.path=${folder}/data`, `--web.listen-address=127.0.0.1:${port}`],
      { stdio: 'ignore' },
    );
    t.after(async () => {
      const exit = once(process, 'exit');
      if (process.exitCode === null && process.kill('SIGKILL')) await exit;
      await rm(folder, { recursive: true, force: true });
    });
    const url = `http://127.0.0.1:${port}`;
    await until(t, async () => {
      const answer = await fetch(`${url}/-/ready`).catch(() => undefined);
      await answer?.body?.cancel();
      return answer?.ok === true;
    });
    return new Prometheus(url);
  }

  /** The values of a query, by a label of its series. */
  async query(query: string, label: string): Promise<Record<string, number>> {
    const response = await fetch(`${this.#url}/api/v1/query?query=${encodeURIComponent(query)}`);
    const { status, data } = (await response.json()) as Answer;
    assert.equal(status, 'success', query);
    return Object.fromEntries(data.result.map(({ metric, value }) => [metric[label] ?? '', Number(value[1])]));
  }
}
