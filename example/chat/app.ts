import type { Application } from 'egg';
import { ChatMemory } from './app/memory';

export default class ChatBoot {
  readonly #app: Application;

  constructor(app: Application) {
    this.#app = app;
  }

  configDidLoad(): void {
    this.#app.chatMemory = new ChatMemory();
  }
}
