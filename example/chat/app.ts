import type { Application } from 'egg';
import { MemoryLink } from './app/memory-link';
import { chat, type News } from './contract';

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
    // the agent tells each worker, and each its own pages: so all of them hear the news in the same order
    messenger.on('chat-news', (news: News) => this.#everybody.local.emit('news', news));
    messenger.on('chat-memory-new', () => this.#announceEverybody());
  }

  get #everybody() {
    return this.#app.io.of(chat);
  }

  /** The agent has been started anew, and knows nobody. */
  #announceEverybody(): void {
    for (const { id, data, conn } of this.#everybody.sockets.values()) {
      // a page connects again by itself, and is told what is wrong if that fails as well
      this.#app.chatMemory.ask('arrive', data.user, id, process.pid).catch(() => conn.close());
    }
  }
}
