import type { Application } from 'egg';
import { MemoryLink } from './app/memory-link';
import { ONLINE } from './app/service/chat';
import { chat } from './contract';

export default class ChatBoot {
  readonly #app: Application;

  constructor(app: Application) {
    this.#app = app;
  }

  configDidLoad(): void {
    this.#app.chatMemory = new MemoryLink(this.#app.messenger);
  }

  willReady(): void {
    const { messenger } = this.#app;
    // the agent tells each worker, and each its own pages: so all of them hear of the rooms in the same order
    messenger.on('chat-rooms', (rooms: string[]) => this.#everybody.local.emit('rooms', rooms));
    messenger.on('chat-memory-new', () => this.#announceEverybody());
  }

  get #everybody() {
    return this.#app.io.of(chat);
  }

  /** The agent has been started anew, and knows nobody. */
  #announceEverybody(): void {
    const { chatMemory, logger } = this.#app;
    for (const { id, meta } of this.#everybody.presence(ONLINE).list()) {
      // whose name somebody else has taken meanwhile is told so at their next event
      if (meta) chatMemory.ask('claim', { id, name: meta.name }).catch((error: unknown) => logger.warn(error));
    }
  }
}
