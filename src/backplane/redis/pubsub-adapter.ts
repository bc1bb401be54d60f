/** The official adapter for Redis channels, changed to reach the sockets of its own server without Redis. */
import { randomUUID } from 'node:crypto';
import { RedisAdapter } from '@socket.io/redis-adapter';
import type { Namespace, Socket } from 'socket.io';
import { Adapter, type BroadcastOptions, type Room } from 'socket.io-adapter';
import { detailsOf } from '../answer';
import { InvalidMessage } from '../inbox';
import type { Backplane } from '../backplane';
import { locally } from '../cluster-message';
import { PacketCodec } from '../packet-codec';
import { fieldOfArguments } from '../values';
import { toError } from '../../thrown';
import type { SubscribingClient } from './channels';
import type { Client } from './client';
import { REDIS_ADAPTER, REDIS_ADAPTER_FIELDS, redisInternals, type RedisMethods, redisMethods } from '../../internals/adapters';
import { forgetLater } from '../wrappers/forget-acknowledgements';
import { requireMembers } from '../../internals/members';
import {
  decodeMessage,
  isRequest,
  isResponse,
  officialMessage,
  openRequest,
  openResponse,
  readBroadcast,
  type Request,
  RequestType,
} from './pubsub-message';

type Answer = (error: Error | null, responses: unknown[]) => void;

/**
 * In the official adapter, sockets of its own server join, leave and disconnect when its request has come back from Redis. Here they do so
 * at once, even without Redis, and the request is ignored when it comes back: by then it may be out of date.
 * Messages are validated before the official adapter gets them, and answers that cannot be encoded are handled here.
 */
export class PubSubAdapter extends RedisAdapter {
  readonly #backplane: Backplane;
  readonly #codec: PacketCodec;
  /** Encodes as MessagePack. The official adapter uses JSON for some messages, which cannot hold bytes, but it reads both. */
  readonly #encode: (message: unknown) => Buffer;
  readonly #decode: (message: unknown) => unknown;

  static {
    const base = redisMethods(RedisAdapter.prototype);
    Object.assign(this.prototype, {
      onmessage(this: PubSubAdapter, pattern: string, channel: Buffer, message: Buffer): void {
        this.#backplane.inbox.read++;
        try {
          base.onmessage.call(this.#inside, pattern, channel, message);
        } catch (error) {
          this.#backplane.inbox.fail(channel, error);
        }
      },
      onrequest(this: PubSubAdapter, channel: Buffer, message: Buffer): void {
        try {
          this.#read(base, channel, message)?.catch((error: unknown) => this.#backplane.inbox.fail(channel, error));
        } catch (error) {
          this.#backplane.inbox.fail(channel, error);
        }
      },
    });
  }

  /** @param interop whether servers without this plugin can read the messages */
  constructor(nsp: Namespace, publisher: Client, subscriber: SubscribingClient, options: object, backplane: Backplane, interop = true) {
    super(nsp, publisher, subscriber, options);
    this.#backplane = backplane;
    this.#codec = new PacketCodec(nsp);
    requireMembers(REDIS_ADAPTER, RedisAdapter.prototype);
    requireMembers(REDIS_ADAPTER_FIELDS, this);
    const { encode, decode } = this.#inside.parser;
    this.#encode = encode;
    this.#decode = decode;
    this.#inside.parser = {
      encode: value => encode(officialMessage(value, interop, backplane.answers, this.#codec)),
      decode: message => (message instanceof CheckedMessage ? message.value : readBroadcast(decodeMessage(message, decode), this.#codec)),
    };
  }

  override addSockets(opts: BroadcastOptions, rooms: Room[]): void {
    super.addSockets(locally(opts), rooms);
    if (!opts.flags?.local) super.addSockets(opts, rooms);
  }

  override delSockets(opts: BroadcastOptions, rooms: Room[]): void {
    super.delSockets(locally(opts), rooms);
    if (!opts.flags?.local) super.delSockets(opts, rooms);
  }

  override disconnectSockets(opts: BroadcastOptions, close: boolean): void {
    super.disconnectSockets(locally(opts), close);
    if (!opts.flags?.local) super.disconnectSockets(opts, close);
  }

  override serverSideEmit(args: unknown[]): void {
    if (typeof args.at(-1) !== 'function') {
      this.#request({ type: RequestType.ServerSideEmit, ...fieldOfArguments('data', args) });
      return;
    }
    const answer = args.pop() as Answer; // added by Socket.IO
    this.#askServers(args, answer).catch((error: unknown) => answer(toError(error), []));
  }

  get #inside(): ReturnType<typeof redisInternals> {
    return redisInternals(this);
  }

  /** Reads a request or a response. */
  #read(base: RedisMethods, channel: Buffer, message: Buffer): Promise<void> | void {
    const inside = this.#inside;
    const isResponseChannel = channel.toString().startsWith(inside.responseChannel);
    this.#backplane.inbox.read++;
    const value = decodeMessage(message, message[0] === 0x7b ? bytes => JSON.parse(String(bytes)) as unknown : this.#decode); // JSON begins with a brace
    if (isResponseChannel) {
      const response = openResponse(value, this.#codec);
      if (!isResponse(response)) throw new InvalidMessage();
      base.onresponse.call(inside, channel, new CheckedMessage(response));
      return;
    }
    const request = openRequest(value, this.#codec);
    if (!isRequest(request)) throw new InvalidMessage();
    if (request.uid === this.uid) return; // already done
    if (request.type === RequestType.FetchSockets) return this.#answerFetch(request);
    if (request.type === RequestType.ServerSideEmit && request.data && request.requestId !== undefined) {
      this.#answerEvent(request.data, request.requestId);
      return;
    }
    const done = base.onrequest.call(inside, channel, new CheckedMessage(request));
    const { type, packet, opts } = request;
    if (type === RequestType.BroadcastWithAck && packet) forgetLater(this.nsp as Namespace, packet, opts); // declared as any
    return done;
  }

  async #askServers(event: unknown[], answer: Answer): Promise<void> {
    const { requests, requestsTimeout } = this.#inside;
    const numSub = (await this.serverCount()) - 1;
    if (numSub <= 0) {
      answer(null, []);
      return;
    }
    const requestId = randomUUID();
    const responses: unknown[] = [];
    const timeout = setTimeout(() => {
      requests.delete(requestId);
      answer(new Error(`timeout reached: only ${responses.length} responses received out of ${numSub}`), responses);
    }, requestsTimeout);
    const type = RequestType.ServerSideEmit;
    requests.set(requestId, { type, numSub, timeout, resolve: answer, responses }); // the official adapter collects the responses
    this.#request({ requestId, type, ...fieldOfArguments('data', event) });
  }

  #request(request: object): void {
    const { pubClient, requestChannel } = this.#inside;
    void pubClient.publish(requestChannel, this.#encode({ ...request, uid: this.uid as string })); // declared as any; the client reports a failure itself
  }

  async #answerFetch(request: Request): Promise<void> {
    const { requestId, opts } = request;
    const target = { rooms: new Set(opts?.rooms), except: new Set(opts?.except) };
    const sockets = (await Adapter.prototype.fetchSockets.call(this, target)) as Socket[]; // declared as any; local sockets are complete
    const answer = { requestId, sockets: this.#backplane.answers.ofSockets(sockets.map(detailsOf), this.#codec) };
    this.#inside.publishResponse(request, this.#encode(answer));
  }

  #answerEvent(event: [string, ...unknown[]], requestId: string): void {
    const { pubClient, responseChannel } = this.#inside;
    let hasAnswered = false;
    const nsp = this.nsp as Namespace; // declared as any
    nsp._onServerSideEmit([
      ...event,
      (answer: unknown): void => {
        if (hasAnswered) return;
        hasAnswered = true;
        const response = { type: RequestType.ServerSideEmit, requestId, ...this.#backplane.answers.of('data', answer, this.#codec) };
        void pubClient.publish(responseChannel, this.#encode(response)); // the client reports a failure itself
      },
    ]);
  }
}

/** Replaces a message that has already been decoded and validated. */
class CheckedMessage {
  constructor(readonly value: unknown) {}
}
