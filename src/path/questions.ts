/** What waits for an answer of one client. It must not wait for ever: the client may go. */
import { ClientGoneError } from '../errors';

/** Ends one wait. */
type End = (error: ClientGoneError) => void;

export class Questions {
  /** Only there while something waits. */
  #ends: Set<End> | undefined;
  #isGone = false;

  /** @param end called when the client goes, or soon if it has gone */
  add(end: End): void {
    if (this.#isGone) process.nextTick(end, new ClientGoneError());
    else (this.#ends ??= new Set()).add(end);
  }

  /** The client has answered, or nobody waits any more. */
  delete(end: End): void {
    this.#ends?.delete(end);
  }

  /** The client has gone. */
  end(): void {
    this.#isGone = true;
    for (const end of this.#ends ?? []) process.nextTick(end, new ClientGoneError()); // after the listeners of `disconnect`
    this.#ends = undefined;
  }
}
