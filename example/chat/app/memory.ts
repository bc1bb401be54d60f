/**
 * Everything the chat knows. There is one, in the agent; workers ask it (app/memory-link).
 * So all that goes in and out is JSON, and each question is answered before the next.
 */
import { IoError } from 'egg-socket.io';
import type { Message, News, Target, User } from '../contract';

const ROOMS_ALLOWED = 30;
const MESSAGES_KEPT = 50;
const CONVERSATIONS_KEPT = 200;
/** How long a name waits for its owner: to connect after the login, or to come back. */
const NAME_KEPT = 60_000;
const EVENTS_ALLOWED = 50;
const EVENTS_WINDOW = 5_000;

interface Person {
  user: User;
  /** Those of all the pages that they have open, by id, each with the pid of the worker that holds it. */
  sockets: Map<string, number>;
  /** Since when there is none. */
  awaySince: number;
  events: { since: number; count: number };
}

export class ChatMemory {
  readonly #people = new Map<string, Person>();
  readonly #rooms = new Map<string, Message[]>();
  readonly #conversations = new Map<string, Message[]>();
  readonly #onNews: (news: News) => void;
  #lastId = Date.now(); // an id does not come again, even if the agent is started anew

  constructor(onNews: (news: News) => void) {
    this.#onNews = onNews;
    for (const room of ['lobby', '闲聊']) this.#rooms.set(room, []);
  }

  isKnown(userId: string): boolean {
    return this.#people.has(userId);
  }

  isOnline(userId: string): boolean {
    const person = this.#people.get(userId);
    return person !== undefined && isOnline(person);
  }

  /**
   * The name is the user's from now on until they log out, or have been away for a while.
   * Throws if it is somebody else's: a session may well be older than that.
   */
  claim(user: User): void {
    this.#personOf(user);
  }

  /** A page is open. */
  arrive(user: User, socketId: string, worker: number): void {
    const { sockets } = this.#personOf(user);
    if (sockets.set(socketId, worker).size === 1) this.#tell();
  }

  /** A page is closed. */
  leave(user: User, socketId: string): void {
    const person = this.#people.get(user.id);
    if (!person?.sockets.delete(socketId) || isOnline(person)) return;
    person.awaySince = Date.now();
    this.#tell([person.user]);
  }

  /** These workers are alive: what others held is lost. A worker that is new hears of everything by it. */
  keepWorkers(alive: readonly number[]): void {
    const before = this.#online();
    for (const { sockets } of before) {
      for (const [socketId, worker] of sockets) if (!alive.includes(worker)) sockets.delete(socketId);
    }
    const gone = before.filter(person => !isOnline(person));
    for (const person of gone) person.awaySince = Date.now();
    this.#tell(gone.map(({ user }) => user));
  }

  /** Gives the name free. */
  forget(user: User): void {
    const wasOnline = this.isOnline(user.id);
    this.#people.delete(user.id);
    if (wasOnline) this.#tell([user]);
  }

  /** Throws if a person does too much at once, however many pages they have open. Who logs in anew begins anew: this is a sketch. */
  countEvent(user: User): void {
    const { events } = this.#personOf(user);
    const now = Date.now();
    if (now - events.since > EVENTS_WINDOW) Object.assign(events, { since: now, count: 0 });
    if (++events.count > EVENTS_ALLOWED) throw new IoError('TOO_FAST', 'Too many at once: please wait a moment', { status: 429 });
  }

  /** Does nothing if there is such a room. */
  openRoom(room: string): void {
    if (this.#rooms.has(room)) return;
    if (this.#rooms.size >= ROOMS_ALLOWED) throw new IoError('TOO_MANY_ROOMS', 'There are too many rooms already', { status: 409 });
    this.#rooms.set(room, []);
    this.#tell();
  }

  /** What has been said in a room, or between two people. */
  history(me: User, to: Target): Message[] {
    return ('room' in to ? this.#rooms.get(to.room) : this.#conversations.get(keyOf(me.id, to.user))) ?? [];
  }

  keep(from: User, to: Target, text: string): Message {
    if ('room' in to) this.openRoom(to.room); // people may be in a room from before the agent was started anew
    const message = { id: ++this.#lastId, from, to, text, at: Date.now() };
    const messages = [...this.history(from, to), message].slice(-MESSAGES_KEPT);
    if ('room' in to) this.#rooms.set(to.room, messages);
    else this.#keepConversation(keyOf(from.id, to.user), messages);
    return message;
  }

  #personOf(user: User): Person {
    const known = this.#people.get(user.id);
    if (known) return known;
    const now = Date.now();
    for (const [id, person] of this.#people) {
      if (!isOnline(person) && now - person.awaySince > NAME_KEPT) this.#people.delete(id);
      else if (person.user.name === user.name) {
        throw new IoError('NAME_TAKEN', `${user.name} is taken: choose another name`, { status: 409 });
      }
    }
    const person = { user, sockets: new Map<string, number>(), awaySince: now, events: { since: now, count: 0 } };
    this.#people.set(user.id, person);
    return person;
  }

  #online(): Person[] {
    return [...this.#people.values()].filter(isOnline);
  }

  #tell(gone: User[] = []): void {
    this.#onNews({ rooms: [...this.#rooms.keys()], online: this.#online().map(({ user }) => user), gone });
  }

  /** When there are too many, the one that has been quiet for longest is forgotten. */
  #keepConversation(key: string, messages: Message[]): void {
    this.#conversations.delete(key); // to the end of the order
    this.#conversations.set(key, messages);
    const [quietest] = this.#conversations.keys();
    if (this.#conversations.size > CONVERSATIONS_KEPT && quietest !== undefined) this.#conversations.delete(quietest);
  }
}

function isOnline({ sockets }: Person): boolean {
  return sockets.size > 0;
}

/** The same for both. */
function keyOf(...userIds: string[]): string {
  return userIds.sort().join(' ');
}
