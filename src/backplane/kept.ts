/** What a backend keeps for all processes. */
import type { RunScript } from '../limits/rates';
import type { HandoverStore } from '../store/handover-store';
import type { OutcomeStore } from '../store/outcome-store';
import type { Streams } from '../store/streams';

/** What the backend has no place for is absent. */
export interface Kept {
  /** The outcomes of handlers. */
  readonly outcomes?: OutcomeStore;
  /** Where a process that ends leaves the sessions of its clients for another one. */
  readonly handovers?: HandoverStore;
  /** For the events of rooms with history. Whoever creates the streams has to close them. */
  readonly createStreams?: () => Streams;
  /** For counts. Rejects if the backend cannot be reached, or refuses the script. */
  readonly runScript?: RunScript;
}
