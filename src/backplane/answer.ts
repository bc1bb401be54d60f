/**
 * Answers to other servers. They contain values of the app and of clients, which cannot always be encoded. An error thrown while Socket.IO
 * handles a question or an acknowledgement would end the process.
 */
import type { Socket } from 'socket.io';
import { MessageType, type Room } from 'socket.io-adapter';
import type { Logger } from '../egg';
import { type ErrorAnswer, messageOf, type RuntimeCode } from '../errors';
import { LogLimit } from '../log-limit';
import { reasonOf } from '../encoder';
import type { PacketCodec } from './packet-codec';
import { packValues, OF_SOCKET } from './values';

const CODE: RuntimeCode = 'IO_ANSWER_INVALID';

interface Details {
  readonly id: string;
  readonly handshake?: unknown;
  readonly data?: unknown;
}

/** Creates answers that any adapter can encode. */
export class Answers {
  readonly #logger: Logger;
  readonly #limit = new LogLimit({ interval: 60_000 });

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /**
   * A field with an answer, or with an error if the answer cannot be encoded; `encoded` is added if the value could change on the way.
   * Never throws.
   * @param isDecoded whether a client has sent the answer
   */
  of(name: string, answer: unknown, codec: PacketCodec, isDecoded = false): object {
    try {
      return packValues({ [name]: answer }, [name], codec, isDecoded);
    } catch (error) {
      return { [name]: this.refusal(error) };
    }
  }

  /** The error to send in place of an answer that cannot be encoded. */
  refusal(thrown: unknown): { error: ErrorAnswer } {
    const reason = reasonOf(thrown);
    this.#log('an answer to another server cannot be sent', reason);
    return { error: { code: CODE, message: `the answer cannot be sent: ${reason}` } };
  }

  /** The details of each socket. A socket whose details cannot be sent is left out. Never throws. */
  ofSockets(details: readonly Details[], codec: PacketCodec): object[] {
    return details.flatMap(socket => {
      try {
        return [packValues(socket, OF_SOCKET, codec)];
      } catch (error) {
        this.#log(`the details of socket ${socket.id} cannot be sent to another server, whose result lacks the socket`, reasonOf(error));
        return [];
      }
    });
  }

  /** The session of a disconnected client, to be stored. Undefined if it cannot be encoded. Never throws. */
  ofSession<Session extends { readonly sid: string; readonly data: unknown }>(session: Session, codec: PacketCodec): Session | undefined {
    try {
      return packValues(session, ['data'], codec);
    } catch (error) {
      this.#log(`the data of socket ${session.sid} cannot be stored, and its client will come back as a new one`, reasonOf(error));
      return undefined;
    }
  }

  /** To be called when no more answers are sent. */
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

/** A response of a ClusterAdapter, or of the adapter for MongoDB, with data that can be encoded. */
export function sendable<R extends Response>(response: R, answers: Answers, codec: PacketCodec): R {
  const { type, data } = response;
  if (type === MessageType.FETCH_SOCKETS_RESPONSE && data?.sockets)
    return { ...response, data: { ...data, sockets: answers.ofSockets(data.sockets, codec) } };
  if (type !== MessageType.BROADCAST_ACK && type !== MessageType.SERVER_SIDE_EMIT_RESPONSE) return response;
  return { ...response, data: { ...data, ...answers.of('packet', data?.packet, codec, type === MessageType.BROADCAST_ACK) } };
}

/** The error of the first answer that another server could not encode, if any. */
export function refusalIn(answers: readonly unknown[] = []): Error | undefined {
  for (const answer of answers) {
    const { error } = (answer ?? {}) as { error?: Partial<ErrorAnswer> }; // any value
    if (error?.code === CODE) return new Error(`another server cannot send its answer: ${error.message}`);
  }
  return undefined;
}

export interface Response {
  readonly type?: unknown;
  readonly data?: { readonly sockets?: readonly Details[]; readonly packet?: unknown };
}

/** The details of a socket for other processes. */
export function detailsOf({ id, handshake, rooms, data }: Socket): { id: string; handshake: object; rooms: Room[]; data: unknown } {
  const { sessionStore: _, ...rest } = handshake as typeof handshake & { sessionStore?: unknown }; // added by express-session: it is circular
  return { id, handshake: rest, rooms: [...rooms], data: data as unknown };
}
