/** Questions to one client that have not been answered. They end when the client goes. */
import { ClientGoneError } from '../errors';

/** Ends a question with an error. */
type End = (error: ClientGoneError) => void;

export class Questions {
  /** Set while there are questions. */
  #ends: Set<End> | undefined;
  #isGone = false;

  /** @param end called when the client goes, or in the next tick if it has gone already */
  add(end: End): void {
    if (this.#isGone) process.nextTick(end, new ClientGoneError());
    else (this.#ends ??= new Set()).add(end);
  }

  /** To be called when the client has answered, or the question has timed out. */
  delete(end: End): void {
    this.#ends?.delete(end);
  }

  /** To be called when the client has gone. */
  end(): void {
    this.#isGone = true;
    for (const end of this.#ends ?? []) process.nextTick(end, new ClientGoneError()); // after the listeners of `disconnect`
    this.#ends = undefined;
  }
}
