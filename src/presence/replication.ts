/**
 * Each process has a complete copy of who is present, and there is no other. A process that misses changes of another asks it for all, so that
 * nothing is missing for long, whatever happens to messages. One that is silent for a while has gone.
 */
import { Announcer, type Link, type Replicated } from './announcer';
import { type Change, type Message, readMessage } from './messages';
import type { Peer } from './share';

/** Another process. */
interface Other extends Peer {
  /** The number of its latest changes that are known here. */
  version: number;
  /** The number of own beats since its latest message. */
  silence: number;
  /** Whether it has been asked for a copy since the latest own beat. */
  isAsked: boolean;
  /** The parts of its copy so far. */
  copy: { readonly version: number; readonly changes: Change[]; parts: number } | undefined;
}

/**
 * A process that is silent for a longer number of own beats has gone. Not a number of ms: a process that has been paused itself must not take the
 * others for gone before it has read their messages.
 */
const MAX_SILENCE = 3;

export class Replication {
  /** Time between two beats, in ms. Tests shorten it. */
  interval = 5000;
  readonly #self: Peer;
  readonly #data: Replicated;
  readonly #link: Link;
  readonly #announcer: Announcer;
  readonly #others = new Map<string, Other>();
  #timer: NodeJS.Timeout | undefined;

  constructor(self: Peer, data: Replicated, link: Link) {
    this.#self = self;
    this.#data = data;
    this.#link = link;
    this.#announcer = new Announcer(self, data, link);
  }

  /** To be called whenever the other processes have become reachable. */
  start(): void {
    const { workers } = this.#link;
    if (workers) for (const other of this.#others.values()) if (!workers.has(workerOf(other))) this.#forget(other);
    clearTimeout(this.#timer);
    this.#scheduleBeat();
    this.#announcer.send({ type: 'ask' });
  }

  /** To be called when the connections of a user to this process have changed. */
  change(nsp: string, room: string, id: string): void {
    this.#announcer.change(nsp, room, id);
  }

  /** To be called when a worker of this machine has gone. */
  forgetWorker(name: string): void {
    for (const other of this.#others.values()) if (workerOf(other) === name) this.#forget(other);
  }

  /** Returns whether this is a message of a process. */
  receive(text: unknown): boolean {
    const message = readMessage(text);
    if (message && message.from !== this.#self.id) this.#take(this.#otherOf(message.from), message);
    return message !== undefined;
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#announcer.close();
  }

  #take(other: Other, message: Message): void {
    other.silence = 0;
    switch (message.type) {
      case 'changes':
        if (message.version === other.version + 1) {
          for (const change of message.changes) this.#data.put(other, change);
          other.version++;
        }
        break;
      case 'copy':
        if (message.to.includes(this.#self.id)) this.#takeCopy(other, message);
        break;
      case 'ask':
        if (message.to?.includes(this.#self.id) ?? true) this.#announcer.answer(other.id);
        break;
      case 'bye':
        this.#forget(other);
        return;
      case 'beat':
    }
    if (message.version > other.version) this.#ask(other);
  }

  #takeCopy(other: Other, { version, part, parts, changes }: Extract<Message, { type: 'copy' }>): void {
    if (version < other.version) return;
    if (part === 0) other.copy = { version, changes: [], parts: 0 };
    const { copy } = other;
    if (copy?.version !== version || copy.parts !== part) return; // a part is missing; the other is asked again after the next beat
    copy.changes.push(...changes);
    copy.parts++;
    if (copy.parts < parts) return;
    other.copy = undefined;
    other.version = version;
    this.#replace(other, copy.changes);
  }

  #replace(other: Peer, changes: readonly Change[]): void {
    const kept = new Set(changes.map(keyOf));
    const gone = this.#data.changesOf(other).filter(change => !kept.has(keyOf(change)));
    for (const change of changes) this.#data.put(other, change);
    for (const [nsp, room, id] of gone) this.#data.put(other, [nsp, room, id, 0, null, 0]);
  }

  #otherOf(id: string): Other {
    let other = this.#others.get(id);
    if (!other) {
      other = { id, version: 0, silence: 0, isAsked: false, copy: undefined };
      this.#others.set(id, other);
    }
    return other;
  }

  #forget(other: Other): void {
    this.#others.delete(other.id);
    this.#replace(other, []);
  }

  #ask(other: Other): void {
    if (!other.isAsked) this.#announcer.send({ type: 'ask', to: [other.id] });
    other.isAsked = true;
  }

  #scheduleBeat(): void {
    this.#timer = setTimeout(() => this.#beat(), this.interval).unref();
  }

  #beat(): void {
    this.#scheduleBeat();
    this.#announcer.send({ type: 'beat' });
    for (const other of this.#others.values()) {
      other.isAsked = false;
      if (++other.silence > MAX_SILENCE) this.#forget(other);
    }
  }
}

function keyOf([nsp, room, id]: Change): string {
  return JSON.stringify([nsp, room, id]);
}

/** The name of a worker of this machine, if the hub is the link. */
function workerOf({ id }: Peer): string {
  return id.slice(0, id.indexOf(':'));
}
