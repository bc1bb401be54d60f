/** Everything the chat knows, in the memory of one worker: the one place to change when there are to be several. */
import type { Message, Target, User } from '../types';

const MESSAGES_KEPT = 50;
const CONVERSATIONS_KEPT = 200;

export class ChatMemory {
  readonly #rooms = new Map<string, Message[]>();
  readonly #conversations = new Map<string, Message[]>();
  readonly #present = new Map<string, { user: User; sockets: Set<string> }>();
  #lastId = 0;

  constructor(rooms: string[] = ['lobby', '闲聊']) {
    for (const room of rooms) this.#rooms.set(room, []);
  }

  get rooms(): string[] {
    return [...this.#rooms.keys()];
  }

  get online(): User[] {
    return [...this.#present.values()].map(({ user }) => user);
  }

  isOnline(userId: string): boolean {
    return this.#present.has(userId);
  }

  /** A person may have several pages open. True for the first. */
  arrive(user: User, socketId: string): boolean {
    const here = this.#present.get(user.id);
    if (here) here.sockets.add(socketId);
    else this.#present.set(user.id, { user, sockets: new Set([socketId]) });
    return !here;
  }

  /** True for the last page of a person. */
  leave(user: User, socketId: string): boolean {
    const here = this.#present.get(user.id);
    if (!here?.sockets.delete(socketId) || here.sockets.size > 0) return false;
    return this.#present.delete(user.id);
  }

  /** What has been said in a room, or between two people. */
  history(me: User, to: Target): Message[] {
    return 'room' in to ? messagesOf(this.#rooms, to.room) : messagesOf(this.#conversations, [me.id, to.user].sort().join(' '));
  }

  keep(from: User, to: Target, text: string): Message {
    const message = { id: ++this.#lastId, from, to, text, at: Date.now() };
    const messages = this.history(from, to);
    messages.push(message);
    if (messages.length > MESSAGES_KEPT) messages.shift();
    return message;
  }
}

/** Begins what has not begun yet. When there are too many, the oldest is forgotten. */
function messagesOf(all: Map<string, Message[]>, key: string): Message[] {
  const messages = all.get(key) ?? [];
  all.set(key, messages);
  if (all.size > CONVERSATIONS_KEPT) {
    for (const oldest of all.keys()) {
      all.delete(oldest);
      break;
    }
  }
  return messages;
}
