/** Between the workers and the memory, which the agent has: questions and answers over Egg's messenger. */
import type { Agent, Application } from 'egg';
import { IoError } from 'egg-socket.io';
import type { ChatMemory } from './memory';

/** How long a question waits for its answer. The agent may be down: Egg starts another one after a second. */
const PATIENCE = 5_000;

type Method = keyof ChatMemory;

interface Question {
  id: number;
  worker: number;
  method: Method;
  args: unknown[];
}

interface Answer {
  id: number;
  result?: unknown;
  /** What the method has thrown. */
  error?: { code: string; message: string; status: number; details?: unknown };
}

const NO_ANSWER = { code: 'UNAVAILABLE', message: 'The chat does not answer: try again in a moment', status: 503 };
const FAILED = { code: 'INTERNAL_SERVER_ERROR', message: 'Internal Server Error', status: 500 };

/** In a worker. */
export class MemoryLink {
  readonly #messenger: Application['messenger'];
  /** Until then Egg warns of what the agent sends. */
  readonly #allStarted: Promise<void>;
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  #lastId = 0;
  /** The names of all rooms, as the agent has told last. */
  rooms: string[] = [];

  constructor(messenger: Application['messenger']) {
    this.#messenger = messenger;
    this.#allStarted = new Promise(resolve => messenger.once('egg-ready', () => resolve()));
    messenger.on('chat-answer', (answer: Answer) => this.#settle(answer));
    messenger.on('chat-rooms', (rooms: string[]) => (this.rooms = rooms));
  }

  /** Calls a method of the memory. Rejects with what that throws, or if there is no answer. */
  async ask<M extends Method>(method: M, ...args: Parameters<ChatMemory[M]>): Promise<ReturnType<ChatMemory[M]>> {
    await this.#allStarted;
    const id = ++this.#lastId;
    const answered = new Promise<Answer>(resolve => this.#waiting.set(id, resolve));
    const timer = setTimeout(() => this.#settle({ id, error: NO_ANSWER }), PATIENCE);
    const question: Question = { id, worker: process.pid, method, args };
    this.#messenger.sendToAgent('chat-question', question);
    const { result, error } = await answered;
    clearTimeout(timer);
    if (error) throw new IoError(error.code, error.message, error);
    return result as ReturnType<ChatMemory[M]>; // the agent has called the method of that name
  }

  #settle(answer: Answer): void {
    this.#waiting.get(answer.id)?.(answer); // nobody waits any more if it comes too late
    this.#waiting.delete(answer.id);
  }
}

/** In the agent. */
export function answerWith(memory: ChatMemory, { messenger, logger }: Agent): void {
  messenger.on('chat-question', (question: Question) => {
    messenger.sendTo(String(question.worker), 'chat-answer', answerOf(memory, question, logger));
  });
}

function answerOf(memory: ChatMemory, { id, method, args }: Question, logger: Agent['logger']): Answer {
  try {
    const call = memory[method] as (...args: unknown[]) => unknown; // ask() has checked that these are its arguments
    return { id, result: call.apply(memory, args) };
  } catch (error) {
    if (error instanceof IoError) {
      const { code, message, status, details } = error;
      return { id, error: { code, message, status, details } };
    }
    logger.error(error);
    return { id, error: FAILED };
  }
}
