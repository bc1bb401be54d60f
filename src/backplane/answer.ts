/**
 * What other servers are answered. It holds what the app keeps and what clients have sent, and not all of that can be encoded.
 * Answers are made where Socket.IO brings a question or a client's acknowledgement: what throws there ends the process.
 */
import type { Socket } from 'socket.io';
import { MessageType, type Room } from 'socket.io-adapter';
import type { Logger } from '../egg';
import { type ErrorAnswer, messageOf, type RuntimeCode, toError } from '../errors';
import { LogLimit } from '../log-limit';
import { jsonOf } from './json';

/** Levels. With what adapters put around an answer their MessagePack gives up at 94 to 96; what clients send has 64. */
const MAX_LEVELS = 80;

const CODE: RuntimeCode = 'IO_ANSWER_INVALID';

/** Makes answers that any adapter can encode. */
export class Answers {
  readonly #logger: Logger;
  readonly #limit = new LogLimit({ interval: 60_000 });

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** An answer as JSON has it, with its bytes; or, in place of one that cannot be sent, an error. Never throws. */
  of(answer: unknown): unknown {
    try {
      return plain(answer);
    } catch (error) {
      return this.refusal(error);
    }
  }

  /** The answer in place of one that cannot be sent: an error with the reason. */
  refusal(thrown: unknown): { error: ErrorAnswer } {
    const { message } = toError(thrown);
    this.#log('an answer to another server cannot be sent', message);
    return { error: { code: CODE, message: `the answer cannot be sent: ${message}` } };
  }

  /** The details of each socket. A socket whose details cannot be sent is left out. Never throws. */
  ofSockets(details: readonly { readonly id: string }[]): object[] {
    return details.flatMap(socket => {
      try {
        return [plain(socket) as object]; // as an object is
      } catch (error) {
        this.#log(`socket ${socket.id} cannot be told of to other servers, and is missing there`, toError(error).message);
        return [];
      }
    });
  }

  /** To be called when nothing is answered any more. */
  close(): void {
    this.#limit.flush();
  }

  #log(what: string, why: string): void {
    const write = (more: string): void => this.#logger.error(messageOf(CODE, `${what}${more}: ${why}`));
    this.#limit.log(
      why,
      () => write(''),
      count => write(`, nor ${count} more in the last minute`),
    );
  }
}

/** A response of a ClusterAdapter, or of MongoDB's, with data that can be sent. */
export function sendable<R extends Response>(response: R, answers: Answers): R {
  const { type, data } = response;
  if (type === MessageType.FETCH_SOCKETS_RESPONSE && data?.sockets)
    return { ...response, data: { ...data, sockets: answers.ofSockets(data.sockets) } };
  if (type !== MessageType.BROADCAST_ACK && type !== MessageType.SERVER_SIDE_EMIT_RESPONSE) return response;
  return { ...response, data: { ...data, packet: answers.of(data?.packet) } };
}

/** What another server has put in place of its answer, as an error for those who have asked. */
export function refusalIn(answers: readonly unknown[] = []): Error | undefined {
  for (const answer of answers) {
    const { error } = (answer ?? {}) as { error?: Partial<ErrorAnswer> }; // whatever has been answered
    if (error?.code === CODE) return new Error(`another server cannot send its answer: ${error.message}`);
  }
  return undefined;
}

export interface Response {
  readonly type?: unknown;
  readonly data?: { readonly sockets?: readonly { readonly id: string }[]; readonly packet?: unknown };
}

function plain(value: unknown): unknown {
  return jsonOf(value, bytes => bytes, MAX_LEVELS);
}

/** What another process is told of a socket. */
export function detailsOf({ id, handshake, rooms, data }: Socket): { id: string; handshake: object; rooms: Room[]; data: unknown } {
  const { sessionStore: _, ...rest } = handshake as typeof handshake & { sessionStore?: unknown }; // express-session's: it goes in circles
  return { id, handshake: rest, rooms: [...rooms], data: data as unknown };
}
