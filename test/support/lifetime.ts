/** What tests start ends with its test, or with its file. */
import { after } from 'node:test';

/** Takes cleanups, which run at the end of a test or of a file. The context of a test is one. */
export interface Lifetime {
  after(cleanup: () => unknown): void;
}

/** That of the file that calls this, outside of its tests. What has been started last ends first; each ends, though another one fails. */
export function lifetimeOfFile(): Lifetime {
  const cleanups: (() => unknown)[] = [];
  after(async () => {
    const errors: unknown[] = [];
    for (const cleanup of cleanups.toReversed()) {
      try {
        await cleanup();
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length === 0) return;
    process.exitCode = 1; // Node 22 and 24 report that a hook of a file has failed, and exit with 0
    throw errors.length === 1 ? errors[0] : new AggregateError(errors);
  });
  return { after: cleanup => void cleanups.push(cleanup) };
}
