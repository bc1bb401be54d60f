/** The subscriptions of a connection. A failed one is retried until it succeeds or is ended: the adapters themselves do not retry. */
import { setTimeout as wait } from 'node:timers/promises';
import type { Client, Command } from './client';

/** Time until failed subscriptions are retried, in ms. */
const RETRY_DELAY = 1000;
/** Number of subscriptions to retry at a time: a server with many rooms has many. */
const BATCH = 100;

/** The subscribing command for each unsubscribing one. */
const ENDS: Readonly<Record<string, string>> = { unsubscribe: 'subscribe', punsubscribe: 'psubscribe', sunsubscribe: 'ssubscribe' };
const BEGINS: ReadonlySet<string> = new Set(Object.values(ENDS));

export function isSubscribing(command: string): boolean {
  return BEGINS.has(command);
}

interface Subscription {
  readonly command: string;
  readonly channel: string;
}

export class Subscriptions {
  readonly #signal: AbortSignal;
  /** Called with a subscribing command when all its failed subscriptions have succeeded or ended. */
  readonly #onComplete: (command: string) => void;
  /** The failed subscriptions, by command and channel. */
  readonly #missing = new Map<string, Subscription>();
  /** All subscriptions that have not been ended. A late failure of an ended one is ignored. */
  readonly #wanted = new Set<string>();
  #isTrying = false;

  constructor(signal: AbortSignal, onComplete: (command: string) => void) {
    this.#signal = signal;
    this.#onComplete = onComplete;
  }

  get isComplete(): boolean {
    return this.#missing.size === 0;
  }

  isMissing(channel: string): boolean {
    return [...this.#missing.values()].some(missing => missing.channel === channel);
  }

  /** To be called with each failed command. */
  onFailure(client: Client, { name, args }: Command): void {
    if (!isSubscribing(name)) return;
    for (const channel of args.flat().map(String)) {
      if (!this.#wanted.has(`${name} ${channel}`)) continue;
      this.#missing.delete(`${name} ${channel}`); // moves it to the end: the least recently tried come first
      this.#missing.set(`${name} ${channel}`, { command: name, channel });
    }
    if (!this.#isTrying && this.#missing.size > 0) void this.#tryAgain(client);
  }

  /** To be called with each command before it is sent. */
  onSend({ name, args }: Command): void {
    if (isSubscribing(name)) for (const channel of args.flat()) this.#wanted.add(`${name} ${String(channel)}`);
    const begin = ENDS[name];
    if (begin === undefined) return;
    for (const channel of args.flat().map(String)) {
      this.#wanted.delete(`${begin} ${channel}`);
      this.#delete({ command: begin, channel });
    }
  }

  async #tryAgain(client: Client): Promise<void> {
    this.#isTrying = true;
    let areAllDone = false;
    while (this.#missing.size > 0) {
      if (!areAllDone) await wait(RETRY_DELAY, undefined, { signal: this.#signal, ref: false }).catch(() => {});
      if (this.#signal.aborted) return;
      const batch = [...this.#missing.values()].slice(0, BATCH);
      const done = await Promise.all(batch.map(async subscription => this.#try(client, subscription)));
      areAllDone = done.every(Boolean);
    }
    this.#isTrying = false;
  }

  async #try(client: Client, subscription: Subscription): Promise<boolean> {
    const { command, channel } = subscription;
    const subscribe = Reflect.get(client, command) as (channel: string) => Promise<unknown>; // one of BEGINS
    try {
      await subscribe.call(client, channel);
    } catch {
      return false; // `onFailure` has been called
    }
    this.#delete(subscription);
    return true;
  }

  #delete({ command, channel }: Subscription): void {
    if (!this.#missing.delete(`${command} ${channel}`)) return;
    if (![...this.#missing.values()].some(other => other.command === command)) this.#onComplete(command);
  }
}
