/**
 * A process that ends hands over the sessions of its clients, and what it has logged for them, to another one, its heir. What it hands over goes
 * through the agent or the backend. If there is no other process, it stays in the backend for the next one that starts.
 *
 * No event is lost in between. The heir logs everything from the moment when it accepts, which the ending process hears after all events that the
 * heir has had before; only then does it write down what it has. Events that are in both logs are known by their offsets. What stays in the backend
 * is taken only by a process that has missed nothing since: no other one has emitted. Otherwise the clients are new ones.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as passes } from 'node:timers/promises';
import type { Leaving } from '../departure';
import { messageOf } from '../../errors';
import { toError } from '../../thrown';
import { Inheritance, nameOfLast, type Parts } from './inheritance';
import type { Question } from './peers';
import { write } from './written-handover';

/** Time in ms for another process to accept, or to take what it has accepted. */
const ANSWER_TIMEOUT = 1000;
/** Time in ms after which a process that ends asks again, if all others end as well. */
const RETRY_DELAY = 50;
/** The most characters to hand over, for each namespace: more than its events may take. */
const MAX_LENGTH = 32 * 1024 * 1024;
/** A question that all others answer. */
const ANYBODY = { kind: 'anybody' };

export class Succession implements Leaving {
  readonly #parts: Parts;
  readonly #inheritance: Inheritance;
  readonly #closing = new AbortController();
  #state: 'open' | 'leaving' | 'left' = 'open';
  /** Whether there was another process at the last attempt that has not answered. */
  #wasUnanswered = false;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#inheritance = new Inheritance(parts);
  }

  /** Resolves when the sessions that are on their way to this process are here. Undefined if there are none. */
  get arrival(): Promise<unknown> | undefined {
    return this.#inheritance.arrival;
  }

  get hasMore(): boolean {
    return this.#state !== 'left' && this.#parts.sessions.hasGone; // also while some are on their way
  }

  /** Answers a question of another process. Undefined if there is no answer. */
  answer({ kind, server, heir, name }: Question): object | undefined | Promise<object | undefined> {
    if (kind === 'began') return this.#parts.offsets.areUsed ? {} : undefined;
    if (typeof server !== 'string') return undefined;
    if (kind === 'leaving' && this.#accepts(server) && this.#inheritance.accept(server)) return { heir: this.#id };
    if (kind !== 'left') return undefined;
    if (heir === this.#id && typeof name === 'string')
      return this.#inheritance.take(server, name).then(isTaken => (isTaken ? {} : undefined));
    this.#inheritance.decline(server);
    return undefined;
  }

  /** Hands over the sessions of clients that have gone. */
  async leave(end: number): Promise<void> {
    if (this.#state === 'left') return;
    this.#state = 'leaving';
    try {
      while (performance.now() < end) {
        await this.arrival;
        if (!this.hasMore || (await this.#handOver())) return;
        await passes(RETRY_DELAY, undefined, { signal: this.#closing.signal });
      }
      if (this.hasMore) throw new Error('the others, which end as well, have not done so in time');
    } catch (error) {
      this.#state = 'left';
      const { nsp, backplane } = this.#parts;
      const problem = `namespace ${nsp.name}: the clients of this process cannot be handed over, and will come back as new ones`;
      if (!this.#closing.signal.aborted) backplane.logger.error(messageOf('IO_RECOVERY_FAILED', problem), toError(error));
    }
  }

  stop(): void {
    this.#state = 'left';
  }

  close(): void {
    this.#closing.abort();
    this.#inheritance.close();
  }

  get #id(): string {
    return this.#parts.backplane.departure.id;
  }

  /** Of several that end at the same time, the last one by its id is the heir of all. */
  #accepts(server: string): boolean {
    return this.#state === 'open' || (this.#state === 'leaving' && server < this.#id);
  }

  /** Returns whether it is done, or there is nothing more to do. */
  async #handOver(): Promise<boolean> {
    const { nsp, peers, store, sessions } = this.#parts;
    const server = this.#id;
    const heir = (await peers.ask({ kind: 'leaving', server }, ANSWER_TIMEOUT))?.['heir'];
    const others = heir === undefined && store.lasts ? await peers.poll(ANYBODY) : undefined;
    if (this.arrival) {
      peers.tell({ kind: 'left', server }); // others hand over to this one, which asks again later: nobody awaits it until then
      return false;
    }
    const isWaiting = heir === undefined && store.lasts && others?.length !== 0;
    if (isWaiting) {
      this.#noteAnswer(others !== undefined);
      return false; // others are about to end
    }
    this.#state = 'left';
    if (heir === undefined) {
      if (!store.lasts) return true;
      await this.#put(nameOfLast(nsp), sessions.lifetime);
      if ((await peers.poll(ANYBODY))?.length !== 0) await store.take(nameOfLast(nsp)); // others that have come meanwhile may have emitted
      return true;
    }
    const name = randomUUID();
    await this.#put(name, 2 * ANSWER_TIMEOUT);
    const taken = await peers.ask({ kind: 'left', server, heir, name }, 2 * ANSWER_TIMEOUT);
    if (!taken) throw new Error('the process that was to take them over has not done so');
    return true;
  }

  /** @throws if there was another process twice that has not answered: waiting for it is of no use */
  #noteAnswer(hasAnswered: boolean): void {
    if (!hasAnswered && this.#wasUnanswered) throw new Error('another process, or what connects it, does not answer');
    this.#wasUnanswered = !hasAnswered;
  }

  async #put(name: string, ttl: number): Promise<void> {
    const { sessions, store, codec, backplane } = this.#parts;
    const text = write(sessions.handOver(), codec, backplane.answers);
    if (text.length > MAX_LENGTH) throw new Error(`they have ${text.length} characters, of ${MAX_LENGTH} at most`);
    await store.put(name, text, ttl);
  }
}
