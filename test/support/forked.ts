/** A hub or a worker in a process of its own: one that can be stopped and killed. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { Logs } from './logs';

export interface Call {
  readonly id: number;
  readonly action: string;
  readonly args: (number | string)[];
}

/** What a process says: that it is ready, a line of log, or the result of a call. */
export type Told =
  | { readonly isReady: true }
  | { readonly level: string; readonly message: string; readonly args: string[] }
  | { readonly id: number; readonly result?: unknown; readonly error?: string };

/** What a worker has heard of another. */
export interface Flood {
  count: number;
  bytes: number;
  last: number;
  isInOrder: boolean;
}

export type Floods = Record<string, Flood>;

export class Forked {
  readonly logs = new Logs();
  readonly #process: ChildProcess;
  readonly #ended: Promise<unknown>;
  readonly #calls = new Map<number, { resolve(result: unknown): void; reject(error: Error): void }>();
  #lastCall = 0;

  private constructor(t: TestContext, role: string[]) {
    this.#process = fork(join(__dirname, 'hub-process.js'), role, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    this.#ended = once(this.#process, 'exit');
    t.after(() => this.kill());
  }

  static async hub(t: TestContext, path: string): Promise<Forked> {
    return new Forked(t, ['hub', path]).#ready();
  }

  static async worker(t: TestContext, path: string, name: string): Promise<Forked> {
    return new Forked(t, ['worker', path, name]).#ready();
  }

  async #ready(): Promise<this> {
    await new Promise<void>((resolve, reject) => {
      this.#process.on('message', (told: Told) => {
        if ('isReady' in told) resolve();
        else this.#hear(told);
      });
      this.#process.once('exit', () => {
        reject(new Error('the process has not started'));
        for (const call of this.#calls.values()) call.reject(new Error('the process has ended'));
      });
    });
    return this;
  }

  #hear(told: Exclude<Told, { isReady: true }>): void {
    if ('level' in told) {
      const write = { INFO: this.logs.info, WARN: this.logs.warn, ERROR: this.logs.error }[told.level];
      write?.(told.message, ...told.args);
      return;
    }
    const call = this.#calls.get(told.id);
    this.#calls.delete(told.id);
    if (told.error === undefined) call?.resolve(told.result);
    else call?.reject(new Error(told.error));
  }

  async #call<Result>(action: string, ...args: (number | string)[]): Promise<Result> {
    const id = ++this.#lastCall;
    const result = new Promise<unknown>((resolve, reject) => this.#calls.set(id, { resolve, reject }));
    this.#process.send({ id, action, args } satisfies Call);
    return result as Promise<Result>; // what the action of that name gives
  }

  /** Sends messages of that size to the other workers, numbered from `first` on, as fast as they are carried. */
  async flood(first: number, count: number, size: number): Promise<void> {
    return this.#call('flood', first, count, size);
  }

  /** What it has heard of that worker, once it is so many messages. */
  async heard(from: string, count: number): Promise<Flood> {
    return this.#call('heard', from, count);
  }

  /** The number of workers that it knows of, itself included. */
  async count(): Promise<number> {
    return this.#call('count');
  }

  /** The most memory that it has ever had, in MB. */
  async peak(): Promise<number> {
    return this.#call('peak');
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  /** SIGSTOP, until `wake()`. */
  freeze(): void {
    this.#process.kill('SIGSTOP');
  }

  wake(): void {
    this.#process.kill('SIGCONT');
  }

  /** With no word of goodbye. */
  async kill(): Promise<void> {
    this.#process.kill('SIGKILL');
    await this.#ended;
  }
}
