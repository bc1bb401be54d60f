/** The channel from a process to itself, over which it checks its connections. */
import { randomUUID } from 'node:crypto';
import type { RedisSettings } from '../../config/adapter';
import type { Client } from './client';

export class PulseChannel {
  readonly name: string;
  readonly #isSharded: boolean;

  /** @param prefix the beginning of the names of all channels */
  constructor(adapter: RedisSettings['name'], prefix: string) {
    // begins like the channels of the adapter, so that the same rights suffice; the name of a namespace would begin with a slash
    this.name = `${adapter === 'redis' ? `${prefix}-request` : prefix}#pulse-${randomUUID()}#`;
    this.#isSharded = adapter === 'redis-sharded';
  }

  async send(publisher: Client, pulse: number): Promise<void> {
    await publisher[this.#isSharded ? 'spublish' : 'publish'](this.name, String(pulse));
  }

  receive(subscriber: Client, onPulse: (pulse: number) => void, onSubscribed: () => void): void {
    const channel = Buffer.from(this.name);
    subscriber.on(this.#isSharded ? 'smessageBuffer' : 'messageBuffer', (from: Buffer, pulse: Buffer) => {
      if (channel.equals(from)) onPulse(Number(pulse.toString()));
    });
    subscriber[this.#isSharded ? 'ssubscribe' : 'subscribe'](this.name).then(
      onSubscribed,
      () => {}, // it is retried
    );
  }
}
