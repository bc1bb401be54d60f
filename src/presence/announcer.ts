/** Tells the other processes what has changed in this one. Changes are numbered, so that others notice if they miss some. */
import type { Change, Message } from './messages';
import type { Peer } from './share';

/** The way to the other processes. */
export interface Link {
  /** Whether nobody receives messages. */
  readonly isDown: boolean;
  /** The names of the other workers of this machine, with which their ids begin. Undefined if nobody knows them. */
  readonly workers: ReadonlySet<string> | undefined;
  send(text: string): void;
}

/** What is replicated: the connections of users, by process. */
export interface Replicated {
  /** Replaces what is known of a user's connections to a process. */
  put(peer: Peer, change: Change): void;
  /** Those of one user. */
  changeOf(peer: Peer, nsp: string, room: string, id: string): Change;
  /** Those of all users. */
  changesOf(peer: Peer): Change[];
}

type Content<One = Message> = One extends Message ? Omit<One, 'from' | 'version'> : never; // for each kind

/** Time in ms in which changes are collected into one message. */
const COLLECT_TIME = 50;

/** Time in ms in which the processes are collected that ask for a copy. */
const ANSWER_TIME = 20;

/** The number of users in a part of a copy. */
const PART = 1000;

export class Announcer {
  readonly #self: Peer;
  readonly #data: Replicated;
  readonly #link: Link;
  /** The changes that have not been sent yet, by namespace, room and user. */
  readonly #changed = new Map<string, readonly [nsp: string, room: string, id: string]>();
  /** Who has asked for a copy. */
  readonly #asking = new Set<string>();
  #version = 0;
  #sending: NodeJS.Timeout | undefined;
  #answering: NodeJS.Timeout | undefined;

  constructor(self: Peer, data: Replicated, link: Link) {
    this.#self = self;
    this.#data = data;
    this.#link = link;
  }

  /** To be called when the connections of a user have changed. */
  change(nsp: string, room: string, id: string): void {
    this.#changed.set(JSON.stringify([nsp, room, id]), [nsp, room, id]);
    this.#sending ??= setTimeout(() => this.#sendChanges(), COLLECT_TIME).unref();
  }

  /** Sends another process all that is so here. */
  answer(asking: string): void {
    this.#asking.add(asking);
    this.#answering ??= setTimeout(() => this.#sendCopy(), ANSWER_TIME).unref();
  }

  send(content: Content): void {
    if (!this.#link.isDown) this.#link.send(JSON.stringify({ from: this.#self.id, version: this.#version, ...content }));
  }

  /** Says goodbye. */
  close(): void {
    clearTimeout(this.#sending);
    clearTimeout(this.#answering);
    this.send({ type: 'bye' });
  }

  #sendChanges(): void {
    clearTimeout(this.#sending);
    this.#sending = undefined;
    if (this.#changed.size === 0) return;
    const changes = [...this.#changed.values()].map(([nsp, room, id]) => this.#data.changeOf(this.#self, nsp, room, id));
    this.#changed.clear();
    this.#version++; // also in an outage: the others notice that they have missed it
    this.send({ type: 'changes', changes });
  }

  #sendCopy(): void {
    this.#answering = undefined;
    this.#sendChanges(); // so that the version includes all
    const all = this.#data.changesOf(this.#self);
    const parts = Math.max(1, Math.ceil(all.length / PART));
    for (let part = 0; part < parts; part++)
      this.send({ type: 'copy', to: [...this.#asking], part, parts, changes: all.slice(part * PART, (part + 1) * PART) });
    this.#asking.clear();
  }
}
