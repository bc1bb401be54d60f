/** What PostgreSQL keeps for all servers, in tables of ours: outcomes, and the streams of rooms with history. */
import type { Kept } from '../kept';
import type { Streams } from '../../store/streams';
import type { Keeping } from './kept-tables';
import { PostgresOutcomes } from './outcomes';
import type { MessagePack } from './pg';
import type { PostgresSettings } from './settings';
import { PostgresStreams } from './streams';

export class PostgresKept implements Kept {
  readonly outcomes: PostgresOutcomes;
  readonly handovers: PostgresOutcomes;
  readonly createStreams: () => Streams;
  readonly #pool: Keeping['pool'];

  constructor(messagePack: MessagePack, settings: PostgresSettings, access: Omit<Keeping, 'prefix' | 'cleanupInterval'>) {
    const { outcomeTable, streamTables, prefix, cleanupInterval } = settings;
    const keeping: Keeping = { ...access, prefix, cleanupInterval };
    this.#pool = access.pool;
    this.#pool.on('error', () => {}); // an idle connection has ended, and is replaced
    this.handovers = this.outcomes = new PostgresOutcomes(keeping, outcomeTable);
    this.createStreams = () => new PostgresStreams(keeping, streamTables, messagePack);
  }

  /** The streams are closed by those who have created them. */
  async close(): Promise<void> {
    this.outcomes.close();
    await this.#pool.end();
  }
}
