import type { Agent } from 'egg';
import { ChatMemory } from './app/memory';
import { answerWith } from './app/memory-link';

/** Egg's agent is the one process beside the workers: what all of them share is here. */
export default class ChatAgentBoot {
  readonly #agent: Agent;

  constructor(agent: Agent) {
    this.#agent = agent;
  }

  configDidLoad(): void {
    const { messenger } = this.#agent;
    const memory = new ChatMemory(rooms => messenger.sendToApp('chat-rooms', rooms));
    answerWith(memory, this.#agent);
    messenger.once('egg-ready', () => {
      messenger.sendToApp('chat-memory-new');
      memory.tellRooms();
      messenger.on('egg-pids', () => memory.tellRooms()); // a worker is new, and knows none
    });
  }
}
