/** What tests wait for: scripts/test-process.cjs has it printed when the time of a test is out, which names the test only. */
import { subscribe } from 'node:diagnostics_channel';

const waits = new Set<Error>();

/** To be called when a wait begins, with what it is for. Returns a function that ends it. */
export function waitFor(what: string): () => void {
  const wait = new Error(`still waits for ${what}`); // its stack has who waits
  waits.add(wait);
  return () => void waits.delete(wait);
}

subscribe('test-time-out', () => {
  for (const wait of waits) console.error(wait.stack);
});
