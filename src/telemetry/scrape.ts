/** The agent asks all workers for their metrics, over Egg's messenger, which is there with any adapter and in a single process. */
import { randomUUID } from 'node:crypto';
import type { Messenger } from '../egg';
import type { Reading } from './names';

const ASK = 'egg-socket.io:metrics';
const ANSWER = 'egg-socket.io:metrics-of-worker';

/** In ms. A worker that takes longer is left out: Prometheus itself waits for 10 s. */
const TIMEOUT = 1000;

/** The metrics of one worker. */
export interface Report {
  /** Its number. */
  readonly worker: string;
  readonly reading: Reading;
}

/** To be called in a worker. */
export function answerScrapes(messenger: Messenger, report: () => Report): void {
  messenger.on(ASK, id => void messenger.sendToAgent(ANSWER, { id, ...report() }));
}

/** In the agent: asks. */
export class Scrape {
  readonly #messenger: Messenger;
  /** The number of workers. */
  #expected: number;
  readonly #waiting = new Map<string, (report: Report) => void>();
  /** The question that is being asked. All who come meanwhile get its answer. */
  #running: Promise<Report[]> | undefined;

  constructor(messenger: Messenger, workers: number) {
    this.#messenger = messenger;
    this.#expected = workers;
    messenger.on('egg-pids', pids => (this.#expected = (pids as unknown[]).length)); // Egg's, whenever workers come and go
    messenger.on(ANSWER, answer => {
      const { id, ...report } = answer as Report & { readonly id: string }; // of the function above
      this.#waiting.get(id)?.(report);
    });
  }

  /** The reports of those that have answered in time, and the number of the others. */
  async ask(): Promise<{ reports: readonly Report[]; silent: number }> {
    this.#running ??= this.#collect().finally(() => (this.#running = undefined));
    const reports = await this.#running;
    return { reports, silent: Math.max(0, this.#expected - reports.length) };
  }

  async #collect(): Promise<Report[]> {
    const id = randomUUID();
    const reports: Report[] = [];
    await new Promise<void>(resolve => {
      const timer = setTimeout(resolve, TIMEOUT);
      this.#waiting.set(id, report => {
        reports.push(report);
        if (reports.length < this.#expected) return;
        clearTimeout(timer);
        resolve();
      });
      this.#messenger.sendToApp(ASK, id);
    });
    this.#waiting.delete(id);
    return reports.sort((one, other) => Number(one.worker) - Number(other.worker));
  }
}
