/** Everything the chat knows, in the memory of one worker: the one place to change when there are to be several. */
import { IoError } from 'egg-socket.io';
import type { Message, Target, User } from '../types';

const ROOMS_ALLOWED = 30;
const MESSAGES_KEPT = 50;
const CONVERSATIONS_KEPT = 200;
/** How long a name waits for its owner: to connect after the login, or to come back. */
const NAME_KEPT = 60_000;
const EVENTS_ALLOWED = 50;
const EVENTS_WINDOW = 5_000;

interface Person {
  user: User;
  /** Those of all the pages that they have open. */
  sockets: Set<string>;
  /** Since when there is none. */
  awaySince: number;
  events: { since: number; count: number };
}

export class ChatMemory {
  readonly #people = new Map<string, Person>();
  readonly #rooms = new Map<string, Message[]>();
  readonly #conversations = new Map<string, Message[]>();
  #lastId = 0;

  constructor(rooms: string[] = ['lobby', '闲聊']) {
    for (const room of rooms) this.#rooms.set(room, []);
  }

  get rooms(): string[] {
    return [...this.#rooms.keys()];
  }

  get online(): User[] {
    return [...this.#people.values()].filter(isOnline).map(({ user }) => user);
  }

  isKnown(userId: string): boolean {
    return this.#people.has(userId);
  }

  isOnline(userId: string): boolean {
    const person = this.#people.get(userId);
    return person !== undefined && isOnline(person);
  }

  /**
   * The person behind a user. The name is theirs from now on until they log out, or have been away for a while.
   * Throws if it is somebody else's: a session may well be older than that.
   */
  claim(user: User): Person {
    const known = this.#people.get(user.id);
    if (known) return known;
    const now = Date.now();
    for (const [id, person] of this.#people) {
      if (!isOnline(person) && now - person.awaySince > NAME_KEPT) this.#people.delete(id);
      else if (person.user.name === user.name) {
        throw new IoError('NAME_TAKEN', `${user.name} is taken: choose another name`, { status: 409 });
      }
    }
    const person = { user, sockets: new Set<string>(), awaySince: now, events: { since: now, count: 0 } };
    this.#people.set(user.id, person);
    return person;
  }

  /** True for the first page of a person. */
  arrive(user: User, socketId: string): boolean {
    const { sockets } = this.claim(user);
    return sockets.add(socketId).size === 1;
  }

  /** True for the last page of a person. */
  leave(user: User, socketId: string): boolean {
    const person = this.#people.get(user.id);
    if (!person?.sockets.delete(socketId) || isOnline(person)) return false;
    person.awaySince = Date.now();
    return true;
  }

  /** Gives the name free. True if the person was online. */
  forget({ id }: User): boolean {
    const wasOnline = this.isOnline(id);
    this.#people.delete(id);
    return wasOnline;
  }

  /** Throws if a person does too much at once, however many pages they have open. Who logs in anew begins anew: this is a sketch. */
  countEvent(user: User): void {
    const { events } = this.claim(user);
    const now = Date.now();
    if (now - events.since > EVENTS_WINDOW) Object.assign(events, { since: now, count: 0 });
    if (++events.count > EVENTS_ALLOWED) throw new IoError('TOO_FAST', 'Too many at once: please wait a moment', { status: 429 });
  }

  /** True if there was no such room. */
  openRoom(room: string): boolean {
    if (this.#rooms.has(room)) return false;
    if (this.#rooms.size >= ROOMS_ALLOWED) throw new IoError('TOO_MANY_ROOMS', 'There are too many rooms already', { status: 409 });
    this.#rooms.set(room, []);
    return true;
  }

  /** What has been said in a room, or between two people. */
  history(me: User, to: Target): readonly Message[] {
    return ('room' in to ? this.#rooms.get(to.room) : this.#conversations.get(keyOf(me.id, to.user))) ?? [];
  }

  keep(from: User, to: Target, text: string): Message {
    const message = { id: ++this.#lastId, from, to, text, at: Date.now() };
    const messages = [...this.history(from, to), message].slice(-MESSAGES_KEPT);
    if ('room' in to) this.#rooms.set(to.room, messages);
    else this.#keepConversation(keyOf(from.id, to.user), messages);
    return message;
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
