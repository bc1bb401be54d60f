/** Messages from a backend that cannot be used. Others can write them at will, so the log has few lines of them. */
import type { Logger } from '../egg';
import { messageOf, oneLine, toError } from '../errors';
import { LogLimit } from '../log-limit';

/** Says in the log what has come from one backend and could not be used. What others write at will does not fill it. */
export class Inbox {
  readonly #logger: Logger;
  readonly #from: string;
  readonly #place: string;
  readonly #limit = new LogLimit({ interval: 60_000, kinds: 20 }); // names of channels are made up at will, too
  /** How many messages have been read, good or bad. */
  read = 0;

  /**
   * @param from what it comes from, as `Redis at 127.0.0.1:6379`
   * @param place what the places are there of which `receive` is told the names
   */
  constructor(logger: Logger, from: string, place = 'channel') {
    this.#logger = logger;
    this.#from = from;
    this.#place = place;
  }

  /** A message that no adapter has written is dropped. @param channel where it has come from */
  drop(channel: string | Buffer): void {
    const place = `${this.#from}, ${this.#place} ${oneLine(channel.toString()).slice(0, 100)}`;
    const write = (problem: string): void => this.#logger.warn(messageOf('IO_MESSAGE_INVALID', problem));
    this.#limit.log(
      place,
      () => write(`${place}: a message that no server of this app can have sent was dropped`),
      count =>
        write(
          `${count} more ${count === 1 ? 'message' : 'messages'} that no server of this app can have sent ${count === 1 ? 'was' : 'were'} dropped in the last minute, the last one from ${place}`,
        ),
    );
  }

  /** What has read a message has thrown: since it is none, if that is an `InvalidMessage`, or for some reason of this server. */
  fail(channel: string | Buffer, thrown: unknown): void {
    if (thrown instanceof InvalidMessage) {
      this.drop(channel);
      return;
    }
    const error = toError(thrown);
    this.#limit.log(
      `${error.name}: ${error.message}`,
      () => this.#logger.error('[egg-socket.io] a message over %s has failed here:', this.#from, error),
      count =>
        this.#logger.error(
          '[egg-socket.io] %d more %s over %s failed here in the last minute: %s',
          count,
          count === 1 ? 'message' : 'messages',
          this.#from,
          error.message,
        ),
    );
  }

  /** To be called when nothing is received any more. */
  close(): void {
    this.#limit.flush();
  }
}

/** Thrown by what reads a message, for the Inbox to drop it. */
export class InvalidMessage extends Error {}
