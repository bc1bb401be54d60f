/**
 * What the workers share beside what the plugin keeps for them: who has which name, the rooms, and what two people have said to each other. It is in the
 * agent's process, so there is one of it, and it answers one question after the other.
 */
import { IoError } from 'egg-socket.io';
import type { Message, User } from '../contract';

const ROOMS_ALLOWED = 30;
const MESSAGES_KEPT = 50;
const CONVERSATIONS_KEPT = 200;
/** How long a name waits for its owner: to connect after the login, or to come back. */
const NAME_KEPT = 60_000;
const EVENTS_ALLOWED = 50;
const EVENTS_WINDOW = 5_000;

interface Person {
  user: User;
  /** When they have last come or gone. */
  seenAt: number;
  events: { since: number; count: number };
}

export class ChatMemory {
  readonly #people = new Map<string, Person>();
  readonly #rooms = new Set(['lobby', '闲聊']);
  readonly #conversations = new Map<string, Message[]>();
  readonly #onRooms: (rooms: string[]) => void;

  constructor(onRooms: (rooms: string[]) => void) {
    this.#onRooms = onRooms;
  }

  isKnown(userId: string): boolean {
    return this.#people.has(userId);
  }

  /**
   * The name is the user's from now on until they log out, or have been away for a while.
   * Throws if it is somebody else's: a session may well be older than that.
   *
   * @param online the ids of those who are not away
   */
  claim(user: User, online: readonly string[] = []): void {
    for (const [id, { seenAt }] of this.#people) {
      if (id !== user.id && Date.now() - seenAt > NAME_KEPT && !online.includes(id)) this.#people.delete(id);
    }
    this.#personOf(user).seenAt = Date.now();
  }

  /** A connection of this user has ended. */
  leave(userId: string): void {
    const person = this.#people.get(userId);
    if (person) person.seenAt = Date.now();
  }

  /** Gives the name free. */
  forget(userId: string): void {
    this.#people.delete(userId);
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
    this.#rooms.add(room);
    this.tellRooms();
  }

  /** Tells all workers of the rooms. */
  tellRooms(): void {
    this.#onRooms([...this.#rooms]);
  }

  /** What two people have said to each other. */
  conversation(one: string, other: string): Message[] {
    return this.#conversations.get(keyOf(one, other)) ?? [];
  }

  /** Keeps what one has said to the other. When there are too many conversations, the one that has been quiet for longest is forgotten. */
  keep(one: string, other: string, message: Message): void {
    const key = keyOf(one, other);
    const messages = [...this.conversation(one, other), message].slice(-MESSAGES_KEPT);
    this.#conversations.delete(key); // to the end of the order
    this.#conversations.set(key, messages);
    const [quietest] = this.#conversations.keys();
    if (this.#conversations.size > CONVERSATIONS_KEPT && quietest !== undefined) this.#conversations.delete(quietest);
  }

  #personOf(user: User): Person {
    const known = this.#people.get(user.id);
    if (known) return known;
    if ([...this.#people.values()].some(({ user: { name } }) => name === user.name))
      throw new IoError('NAME_TAKEN', `${user.name} is taken: choose another name`, { status: 409 });
    const now = Date.now();
    const person = { user, seenAt: now, events: { since: now, count: 0 } };
    this.#people.set(user.id, person);
    return person;
  }
}

/** The same for both. */
function keyOf(...userIds: [string, string]): string {
  return userIds.sort().join(' ');
}
