/** A queue whose items are handled in order, one after the other. */

/** Maximum size of the waiting items, in bytes. */
const MAX_WAITING = 32 * 1024 * 1024;

interface Waiting<Item> {
  readonly item: Item;
  /** The size in bytes. */
  readonly size: number;
}

export class Queue<Item> {
  readonly #handle: (item: Item) => Promise<void>;
  readonly #onDrain: () => void;
  readonly #waiting = new Set<Waiting<Item>>();
  /** The size of the waiting items, in bytes. */
  #size = 0;
  #handling: Promise<void> | undefined;

  /**
   * @param handle must not reject
   * @param onDrain called when nothing waits any more
   */
  constructor(handle: (item: Item) => Promise<void>, onDrain: () => void) {
    this.#handle = handle;
    this.#onDrain = onDrain;
  }

  /** Whether more than 32 MB wait: nothing should be added. */
  get isFull(): boolean {
    return this.#size > MAX_WAITING;
  }

  /** Adds an item, which is handled after all waiting ones. @param size in bytes */
  add(item: Item, size: number): void {
    this.#waiting.add({ item, size });
    this.#size += size;
    this.#handling ??= this.#handleAll();
  }

  /** Removes and returns the waiting items. */
  drop(): Item[] {
    const items = [...this.#waiting].map(({ item }) => item);
    this.#waiting.clear();
    this.#size = 0;
    return items;
  }

  /** Resolves when nothing waits any more. */
  async flush(): Promise<void> {
    await this.#handling;
  }

  async #handleAll(): Promise<void> {
    try {
      for (const waiting of this.#waiting) {
        this.#waiting.delete(waiting);
        this.#size -= waiting.size;
        await this.#handle(waiting.item);
      }
    } finally {
      this.#handling = undefined;
    }
    this.#onDrain();
  }
}
