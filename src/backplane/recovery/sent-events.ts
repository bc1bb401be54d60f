/**
 * Counts the events that clients were sent again when they came back. Those that were with this process before share their frames with the log: these
 * count once more, however many clients have them. The frames that came from another process are one client's.
 */
import type { Frame } from '../packet-codec';
import type { Account } from './budget';
import type { Missed } from './entry';
import { sizeOfFrames } from './size';

/** Bytes that an event takes in the list of one client, roughly. */
const EVENT_SIZE = 100;

export class SentEvents {
  readonly #account: Account;
  /** How many clients have them. */
  readonly #clients = new Map<readonly Frame[], number>();

  constructor(account: Account) {
    this.#account = account;
  }

  hold(sent: readonly Missed[]): void {
    this.#change(sent, 1);
  }

  release(sent: readonly Missed[]): void {
    this.#change(sent, -1);
  }

  #change(sent: readonly Missed[], by: 1 | -1): void {
    let bytes = sent.length * EVENT_SIZE;
    for (const { frames } of sent) {
      if (!frames) continue;
      const before = this.#clients.get(frames) ?? 0;
      const clients = before + by;
      if (clients > 0) this.#clients.set(frames, clients);
      else this.#clients.delete(frames);
      if (before === 0 || clients === 0) bytes += sizeOfFrames(frames);
    }
    if (bytes > 0) this.#account.count(by * bytes);
  }
}
