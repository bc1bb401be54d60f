/** What the plugin itself keeps in Redis, by the connection that publishes. */
import { Cluster } from 'ioredis';
import { OutageError } from '../../errors';
import type { RedisKeys } from '../../store/redis-streams';
import { toError } from '../../thrown';
import type { PulsedBackplane } from '../pulsed-backplane';
import type { Refusal } from '../refusals';
import type { Client } from './client';
import { isTemporary, problemOfKeys, refusalOfKeys } from './refused';

/** How many keys Redis looks at before it answers. */
const PAGE = 1000;

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
    return this.#runAt(this.#client, command, args, expected);
  }

  async *find(pattern: string): AsyncIterable<readonly Buffer[]> {
    for (const node of this.#client instanceof Cluster ? this.#client.nodes('master') : [this.#client]) {
      for (let cursor: string | undefined = '0'; cursor !== undefined;) {
        const [next, keys] = (await this.#runAt(node, 'scan', [cursor, 'MATCH', pattern, 'COUNT', PAGE])) as [Buffer, Buffer[]]; // as Redis documents it
        yield keys;
        cursor = String(next) === '0' ? undefined : String(next);
      }
    }
  }

  async #runAt(client: Client, command: string, args: readonly (string | number | Uint8Array)[], expected?: RegExp): Promise<unknown> {
    const all = args.map(arg => (arg instanceof Uint8Array ? Buffer.from(arg.buffer, arg.byteOffset, arg.byteLength) : arg));
    try {
      const answer = await this.#backplane.ask(
        async () => client.callBuffer(command, ...all),
        () => this.#backplane.isAnswering,
      );
      this.#refused.remove(problemOfKeys(command));
      return answer;
    } catch (thrown) {
      const error = toError(thrown);
      if (expected?.test(error.message)) return undefined;
      if (error instanceof OutageError) throw error;
      if (error.name === 'ReplyError' && !isTemporary(error, client)) this.#refused.add(refusalOfKeys(command, error));
      throw this.#backplane.error(error);
    }
  }
}
