/** Logs unusable messages from a backend. */
import type { Logger } from '../egg';
import { messageOf, oneLine } from '../errors';
import { toError } from '../thrown';
import { LogLimit } from '../log-limit';

/** The log of one backend. The number of lines is limited, since others can write any number of messages. */
export class Inbox {
  readonly #logger: Logger;
  readonly #from: string;
  readonly #place: string;
  readonly #limit = new LogLimit({ interval: 60_000, kinds: 20 }); // others also choose the names of channels
  /** The number of messages that have been read, valid or not. */
  read = 0;

  /**
   * @param from the backend, for example `Redis at 127.0.0.1:6379`
   * @param place the kind of place whose names the methods get, for example `channel`
   */
  constructor(logger: Logger, from: string, place = 'channel') {
    this.#logger = logger;
    this.#from = from;
    this.#place = place;
  }

  /** Logs that an invalid message was dropped. @param channel the source of the message */
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

  /** Logs an error while a message was handled: an `InvalidMessage` means that it was dropped, any other error is this server's. */
  fail(channel: string | Buffer, thrown: unknown): void {
    if (thrown instanceof InvalidMessage) {
      this.drop(channel);
      return;
    }
    const error = toError(thrown);
    this.#limit.log(
      `${error.name}: ${error.message}`,
      () => this.#logger.error('[egg-socket.io] handling a message from %s failed:', this.#from, error),
      count =>
        this.#logger.error(
          '[egg-socket.io] handling %d more %s from %s failed in the last minute: %s',
          count,
          count === 1 ? 'message' : 'messages',
          this.#from,
          error.message,
        ),
    );
  }

  /** Logs that messages were gone before this server could read them. @param stream where they were @param remedy how to prevent that */
  miss(stream: string, remedy: string): void {
    const write = (times: string): void => {
      const problem = `${this.#from}: entries of the stream ${stream} were removed before this server had read them${times}`;
      const effect = 'its clients may have missed events of other servers';
      this.#logger.error(messageOf('IO_MESSAGES_MISSED', `${problem}; ${effect}; ${remedy}`));
    };
    this.#limit.log(
      `missed ${stream}`,
      () => write(''),
      count => write(`, ${count} more ${count === 1 ? 'time' : 'times'} in the last minute`),
    );
  }

  /** Writes pending counts. To be called when nothing is received any more. */
  close(): void {
    this.#limit.flush();
  }
}

/** Thrown for a message that is invalid. */
export class InvalidMessage extends Error {}
