/** The adapters of all namespaces, with the channels that they listen to. */
import type { Namespace } from 'socket.io';
import { PostgresAdapter } from './adapter';
import type { Message } from './messages';

interface Options {
  /** The options of the adapters. */
  readonly options: object;
  channelOf(nsp: string): string;
  publish(message: Message): void;
  listen(channel: string): void;
  unlisten(channel: string): void;
  /** Ignores messages with this id, which come from this server. */
  ignore(id: string): void;
  /** Ends `ignore`. */
  forget(id: string): void;
}

export class Adapters {
  readonly #options: Options;
  /** By the name of the namespace. */
  readonly #adapters = new Map<string, PostgresAdapter>();
  /** By channel: long names may share one. */
  readonly #sharing = new Map<string, Set<PostgresAdapter>>();

  constructor(options: Options) {
    this.#options = options;
  }

  create(nsp: Namespace): PostgresAdapter {
    const { options, channelOf, publish, listen, unlisten, ignore, forget } = this.#options;
    const channel = channelOf(nsp.name);
    const sharing = this.#sharing.get(channel) ?? new Set();
    const adapter = new PostgresAdapter(nsp, options, {
      publish,
      onClose: closed => {
        forget(closed.id);
        if (this.#adapters.get(nsp.name) === closed) this.#adapters.delete(nsp.name);
        if (sharing.delete(closed) && sharing.size === 0 && this.#sharing.delete(channel)) unlisten(channel);
      },
    });
    this.#sharing.set(channel, sharing.add(adapter));
    this.#adapters.set(nsp.name, adapter);
    ignore(adapter.id);
    listen(channel);
    return adapter;
  }

  /** Delivers a message of another server. */
  receive(message: Message & { readonly nsp: string }): void {
    this.#adapters.get(message.nsp)?.receive(message);
  }

  /** Sends a first heartbeat of each, which the other servers answer. */
  init(): void {
    for (const adapter of this.#adapters.values()) adapter.init();
  }
}
