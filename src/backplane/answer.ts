/**
 * What other servers are answered. It holds what the app keeps and what clients have sent, and not all of that can be encoded.
 * Answers are made where Socket.IO brings a question or a client's acknowledgement: what throws there ends the process.
 */
import type { Socket } from 'socket.io';
import { MessageType, type Room } from 'socket.io-adapter';
import type { Logger } from '../egg';
import { type ErrorAnswer, messageOf, type RuntimeCode } from '../errors';
import { LogLimit } from '../log-limit';
import { reasonOf } from './refused-event';
import type { PacketCodec } from './packet-codec';
import { closeValues, OF_SOCKET } from './values';

const CODE: RuntimeCode = 'IO_ANSWER_INVALID';

interface Details {
  readonly id: string;
  readonly handshake?: unknown;
  readonly data?: unknown;
}

/** Makes answers that any adapter can encode. */
export class Answers {
  readonly #logger: Logger;
  readonly #limit = new LogLimit({ interval: 60_000 });

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /**
   * A field with an answer; or, in place of one that cannot be sent, an error. What could change on the way is beside it. Never throws.
   * @param isDecoded whether it is what a client has sent
   */
  of(name: string, answer: unknown, codec: PacketCodec, isDecoded = false): object {
    try {
      return closeValues({ [name]: answer }, [name], codec, isDecoded);
    } catch (error) {
      return { [name]: this.refusal(error) };
    }
  }

  /** The answer in place of one that cannot be sent: an error with the reason. */
  refusal(thrown: unknown): { error: ErrorAnswer } {
    const reason = reasonOf(thrown);
    this.#log('an answer to another server cannot be sent', reason);
    return { error: { code: CODE, message: `the answer cannot be sent: ${reason}` } };
  }

  /** The details of each socket. A socket whose details cannot be sent is left out. Never throws. */
  ofSockets(details: readonly Details[], codec: PacketCodec): object[] {
    return details.flatMap(socket => {
      try {
        return [closeValues(socket, OF_SOCKET, codec)];
      } catch (error) {
        this.#log(`socket ${socket.id} cannot be told of to other servers, and is missing there`, reasonOf(error));
        return [];
      }
    });
  }

  /** What is stored of a client that has gone, for its return; undefined where that cannot be encoded. Never throws. */
  ofSession<Session extends { readonly sid: string; readonly data: unknown }>(session: Session, codec: PacketCodec): Session | undefined {
    try {
      return closeValues(session, ['data'], codec);
    } catch (error) {
      this.#log(`the data of socket ${session.sid} cannot be stored, and its client will come back as a new one`, reasonOf(error));
      return undefined;
    }
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
export function sendable<R extends Response>(response: R, answers: Answers, codec: PacketCodec): R {
  const { type, data } = response;
  if (type === MessageType.FETCH_SOCKETS_RESPONSE && data?.sockets)
    return { ...response, data: { ...data, sockets: answers.ofSockets(data.sockets, codec) } };
  if (type !== MessageType.BROADCAST_ACK && type !== MessageType.SERVER_SIDE_EMIT_RESPONSE) return response;
  return { ...response, data: { ...data, ...answers.of('packet', data?.packet, codec, type === MessageType.BROADCAST_ACK) } };
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
  readonly data?: { readonly sockets?: readonly Details[]; readonly packet?: unknown };
}

/** What another process is told of a socket. */
export function detailsOf({ id, handshake, rooms, data }: Socket): { id: string; handshake: object; rooms: Room[]; data: unknown } {
  const { sessionStore: _, ...rest } = handshake as typeof handshake & { sessionStore?: unknown }; // express-session's: it goes in circles
  return { id, handshake: rest, rooms: [...rooms], data: data as unknown };
}
