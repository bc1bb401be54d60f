/**
 * The channels of all namespaces on the connection that subscribes. A message goes to the adapter that has subscribed to its channel, or to its
 * glob. If each adapter had a listener of its own on the client, each message would cost more with each namespace.
 */
import type { Client } from './client';

/** The members of a client that the official adapter uses to subscribe. */
export interface SubscribingClient {
  psubscribe(glob: string): Promise<unknown>;
  punsubscribe(glob: string): void;
  subscribe(channels: readonly string[]): Promise<unknown>;
  unsubscribe(channels: readonly string[]): void;
  on(event: string, listener: Listener): void;
  off(event: string): void;
}

type Listener = (...message: unknown[]) => void;

/** The listeners of one adapter, by event. */
type Listeners = Map<string, Listener>;

export class Channels {
  readonly #subscriber: Client;
  readonly #byChannel = new Map<string, Set<Listeners>>();
  readonly #byGlob = new Map<string, Set<Listeners>>();

  constructor(subscriber: Client) {
    this.#subscriber = subscriber;
    subscriber.on('messageBuffer', (channel: Buffer, message: Buffer) => {
      for (const listeners of this.#byChannel.get(channel.toString()) ?? []) listeners.get('messageBuffer')?.(channel, message);
    });
    subscriber.on('pmessageBuffer', (glob: string, channel: Buffer, message: Buffer) => {
      for (const listeners of this.#byGlob.get(glob) ?? []) listeners.get('pmessageBuffer')?.(glob, channel, message);
    });
  }

  /** Creates the client of an adapter. It returns promises of the shared client, which handles their rejections itself: the adapter does not. */
  create(): SubscribingClient {
    const listeners: Listeners = new Map();
    return {
      psubscribe: glob => {
        add(this.#byGlob, literal(glob), listeners);
        return this.#subscriber.psubscribe(literal(glob));
      },
      punsubscribe: glob => {
        if (remove(this.#byGlob, literal(glob), listeners)) void this.#subscriber.punsubscribe(literal(glob));
      },
      subscribe: channels => {
        for (const channel of channels) add(this.#byChannel, channel, listeners);
        return this.#subscriber.subscribe(...channels);
      },
      unsubscribe: channels => {
        const unused = channels.filter(channel => remove(this.#byChannel, channel, listeners));
        if (unused.length > 0) void this.#subscriber.unsubscribe(...unused);
      },
      on: (event, listener) => {
        listeners.set(event, listener); // errors as well, which nobody calls: they are logged where the connection is created
      },
      off: event => {
        listeners.delete(event);
      },
    };
  }
}

/** The glob of the official adapter, the name of a namespace and an asterisk, in which characters such as `[` in the name stand for themselves. */
function literal(glob: string): string {
  return `${glob.slice(0, -1).replaceAll(/[\\*?[\]]/g, String.raw`\$&`)}*`;
}

function add(map: Map<string, Set<Listeners>>, name: string, listeners: Listeners): void {
  map.set(name, (map.get(name) ?? new Set()).add(listeners));
}

/** @returns whether nobody listens to the name any more */
function remove(map: Map<string, Set<Listeners>>, name: string, listeners: Listeners): boolean {
  const all = map.get(name);
  return all !== undefined && all.delete(listeners) && all.size === 0 && map.delete(name);
}
