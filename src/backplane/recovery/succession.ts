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
import { debug } from '../../debug';
import type { Leaving } from '../departure';
import { messageOf } from '../../errors';
import { toError } from '../../thrown';
import { countOf, Inheritance, nameOfLast, type Parts } from './inheritance';
import type { Question } from './peers';
import { write } from './written-handover';

/** Time in ms for another process to accept, or to take what it has accepted. */
const ANSWER_TIMEOUT = 1000;
/** Time in ms for which a text waits for its heir: that is known to have it, or not, before. */
const TEXT_LIFETIME = 4 * ANSWER_TIMEOUT;
/** Time in ms after which a process that ends asks again: others end as well, or have just gone and count for a moment still. */
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
  /** To be called when another process has gone: it may have been asked. */
  #onGone = (_server: unknown): void => {};

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
    if (kind === 'gone') this.#onGone(server);
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
    const { backplane } = this.#parts;
    try {
      while (performance.now() < end) {
        await this.arrival;
        if (!this.hasMore || (await this.#handOver(end))) return;
        if (backplane.isDown) throw backplane.error();
        await passes(RETRY_DELAY, undefined, { signal: this.#closing.signal });
      }
      if (this.hasMore) throw new Error('no other process has taken them in time');
    } catch (error) {
      const { signal } = this.#closing;
      this.#giveUp(signal.aborted ? signal.reason : error);
    }
  }

  stop(): void {
    this.#state = 'left';
  }

  /** To be called before the adapter closes: others that end as well need not wait for an answer of this process. */
  close(): void {
    this.#parts.peers.tell({ kind: 'gone', server: this.#id });
    this.#closing.abort(new Error('this process has no more time'));
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
  async #handOver(end: number): Promise<boolean> {
    const { nsp, peers, store, sessions, backplane } = this.#parts;
    const server = this.#id;
    const left = (): number => end - performance.now();
    const asked = peers.ask({ kind: 'leaving', server }, Math.min(left(), ANSWER_TIMEOUT));
    const heir = (await this.#unlessOneGoes(asked))?.['heir'];
    if (heir === undefined) debug.handover('namespace %s: no other process accepts the sessions', nsp.name);
    else debug.handover('namespace %s: process %s accepts the sessions', nsp.name, heir);
    const others = heir === undefined ? await this.#unlessOneGoes(peers.poll(ANYBODY, left())) : undefined;
    if (this.arrival) {
      peers.tell({ kind: 'left', server }); // others hand over to this one, which asks again later: nobody awaits it until then
      return false;
    }
    if (heir !== undefined) {
      const name = randomUUID();
      const ask = async (): Promise<unknown> => peers.ask({ kind: 'left', server, heir, name }, 2 * ANSWER_TIMEOUT);
      return this.#pass(name, TEXT_LIFETIME, async () => (await this.#unlessOneGoes(ask(), heir)) !== undefined);
    }
    if (!store.lasts && (others ?? backplane.isDown)) {
      debug.handover('namespace %s: there is no other process, and the sessions end with this one', nsp.name);
      this.#state = 'left'; // there is nobody to hand over to, or the agent ends as well
      return true;
    }
    if (others?.length !== 0) {
      debug.handover('namespace %s: other processes are there, and are asked again', nsp.name);
      return false; // others are about to end, or do not answer
    }
    debug.handover('namespace %s: this is the last process, and leaves the sessions for the next one', nsp.name);
    // others that have come meanwhile may have emitted
    return this.#pass(nameOfLast(nsp), sessions.lifetime, async () => (await peers.poll(ANYBODY))?.length === 0);
  }

  /** Leaves under a name what there is. Returns whether it is where it belongs. Otherwise it is here again. */
  async #pass(name: string, ttl: number, isTaken: () => Promise<boolean>): Promise<boolean> {
    const { nsp, sessions, store, codec, backplane } = this.#parts;
    const { signal } = this.#closing;
    signal.throwIfAborted();
    this.#state = 'left'; // what came from now on would end with this process
    const from = sessions.log.noteNext();
    sessions.awaited++; // it may come back: the events of until then are logged
    try {
      const bequests = sessions.handOver();
      const count = countOf(bequests);
      const text = write(bequests, codec, backplane.answers);
      if (text.length > MAX_LENGTH) throw new Error(`they have ${text.length} characters, of ${MAX_LENGTH} at most`);
      await store.put(name, text, ttl);
      const isGone = (await isTaken()) || (await store.take(name)) === undefined; // somebody has taken it, known or not
      debug.handover('namespace %s: sessions that are %s: %d', nsp.name, isGone ? 'handed over' : 'not taken, and asked for again', count);
      if (isGone) return true;
      signal.throwIfAborted();
      sessions.inherit(bequests, from);
    } finally {
      sessions.awaited--;
    }
    this.#state = 'leaving';
    return false;
  }

  #giveUp(error: unknown): void {
    const { nsp, backplane } = this.#parts;
    this.#state = 'left';
    const problem = `namespace ${nsp.name}: the clients of this process cannot be handed over, and will come back as new ones`;
    backplane.logger.error(messageOf('IO_RECOVERY_FAILED', problem), toError(error));
  }

  /**
   * Resolves with what others answer, or with undefined soon after one of them has gone: it may have been asked, and answers no more.
   * @param which the only one that matters, if there is one
   */
  async #unlessOneGoes<Answer>(answer: Promise<Answer>, which?: unknown): Promise<Answer | undefined> {
    const { signal } = this.#closing;
    const gone = new Promise<undefined>(resolve => {
      this.#onGone = server => {
        if (which === undefined || server === which)
          void passes(RETRY_DELAY, undefined, { ref: false, signal }).then(resolve, () => resolve(undefined));
      };
    });
    return Promise.race([answer, gone]);
  }
}
