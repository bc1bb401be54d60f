/** What the plugin itself keeps in Redis, by the connection that publishes. */
import { OutageError } from '../../errors';
import type { RedisKeys } from '../../store/redis-streams';
import { toError } from '../../thrown';
import type { PulsedBackplane } from '../pulsed-backplane';
import type { Refusal } from '../refusals';
import type { Client } from './client';
import { isTemporary, problemOfKeys, refusalOfKeys } from './refused';

interface Refused {
  add(refusal: Refusal): void;
  remove(problem: string): void;
}

export class Keys implements RedisKeys {
  readonly prefix: string;
  readonly #backplane: PulsedBackplane;
  readonly #client: Client;
  readonly #refused: Refused;

  constructor(backplane: PulsedBackplane, client: Client, prefix: string, refused: Refused) {
    this.prefix = prefix;
    this.#backplane = backplane;
    this.#client = client;
    this.#refused = refused;
  }

  /** Whether it is the name of a key of these. Channels and streams of the adapters have other names. */
  has(key: string): boolean {
    return key.startsWith(`${this.prefix}:history:`) || key.startsWith(`${this.prefix}:handover:`);
  }

  async run(command: string, args: readonly (string | number | Uint8Array)[], expected?: RegExp): Promise<unknown> {
    const all = args.map(arg => (arg instanceof Uint8Array ? Buffer.from(arg.buffer, arg.byteOffset, arg.byteLength) : arg));
    try {
      const answer = await this.#backplane.ask(
        async () => this.#client.callBuffer(command, ...all),
        () => this.#backplane.isAnswering,
      );
      this.#refused.remove(problemOfKeys(command));
      return answer;
    } catch (thrown) {
      const error = toError(thrown);
      if (expected?.test(error.message)) return undefined;
      if (error instanceof OutageError) throw error;
      if (error.name === 'ReplyError' && !isTemporary(error, this.#client)) this.#refused.add(refusalOfKeys(command, error));
      throw this.#backplane.error(error);
    }
  }
}
