import { AccessLevel, SingletonProto } from 'egg';
import type { Message } from '../../../contract.js';

/** How many messages of a room are kept. */
const KEPT = 50;
const ROOMS = 100;

/** The rooms and their last messages. One object for the app. */
@SingletonProto({ accessLevel: AccessLevel.PUBLIC })
export class Rooms {
  readonly #messages = new Map<string, Message[]>();
  #lastId = 0;

  get names(): string[] {
    return [...this.#messages.keys()];
  }

  open(room: string): readonly Message[] {
    const messages = this.#messages.get(room) ?? [];
    if (!this.#messages.has(room) && this.#messages.size === ROOMS)
      throw Object.assign(new Error('There are too many rooms'), { status: 409, code: 'FULL' });
    this.#messages.set(room, messages);
    return messages;
  }

  add(room: string, from: string, text: string): Message {
    const message = { id: ++this.#lastId, from, text };
    this.#messages.set(room, [...this.open(room), message].slice(-KEPT));
    return message;
  }
}
