/** What workers hand over to each other, in the memory of the agent. */
import type { HandoverStore } from './handover-store';

/** Bytes of all texts: as many as one worker keeps for recovery, roughly. The oldest goes first. */
const MAX_SIZE = 64 * 1024 * 1024;

interface Kept {
  readonly text: string;
  readonly timer: NodeJS.Timeout;
}

export class MemoryHandovers implements HandoverStore {
  readonly lasts = false;
  /** The oldest first. */
  readonly #kept = new Map<string, Kept>();
  #size = 0;

  async put(name: string, text: string, ttl: number): Promise<void> {
    this.#remove(name);
    this.#kept.set(name, { text, timer: setTimeout(() => this.#remove(name), ttl).unref() });
    this.#size += text.length;
    for (const oldest of this.#kept.keys()) if (this.#size > MAX_SIZE) this.#remove(oldest);
  }

  async take(name: string): Promise<string | undefined> {
    return this.#remove(name);
  }

  close(): void {
    for (const name of this.#kept.keys()) this.#remove(name);
  }

  #remove(name: string): string | undefined {
    const kept = this.#kept.get(name);
    if (!kept) return undefined;
    clearTimeout(kept.timer);
    this.#kept.delete(name);
    this.#size -= kept.text.length;
    return kept.text;
  }
}
