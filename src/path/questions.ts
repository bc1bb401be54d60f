/** Questions to one client that have not been answered. They end when the client goes. */
import { ClientGoneError } from '../errors';

/** Ends a question: with an error, or in silence if the question could not be sent. */
type End = (error: ClientGoneError | undefined) => void;

export class Questions {
  /** By the number of the question. Set while there are questions. */
  #ends: Map<number, End> | undefined;
  #isGone = false;

  /** @param end called when the client goes, or in the next tick if it has gone already */
  add(id: number, end: End): void {
    if (this.#isGone) process.nextTick(end, new ClientGoneError());
    else (this.#ends ??= new Map()).set(id, end);
  }

  /** To be called when the client has answered, or the question has timed out. */
  delete(id: number): void {
    this.#ends?.delete(id);
  }

  /** To be called when the question cannot be sent. */
  withdraw(id: number): void {
    this.#ends?.get(id)?.(undefined);
  }

  /** To be called when the client has gone. */
  end(): void {
    this.#isGone = true;
    for (const end of this.#ends?.values() ?? []) process.nextTick(end, new ClientGoneError()); // after the listeners of `disconnect`
    this.#ends = undefined;
  }
}
