/** Ends what tests have begun, by the hooks of their runner: mocha, Jest, Vitest or node:test. */
import * as nodeTest from 'node:test';

/** Ends something. */
export type Cleanup = () => unknown;

type Hook = (cleanup: () => Promise<void> | void) => unknown;

interface Hooks {
  readonly beforeEach: Hook;
  readonly afterEach: Hook;
  readonly afterAll: Hook;
}

/** A peer, which may not be installed when this is compiled. */
const VITEST: string = 'vitest';

/** What is to end: first with the file, then with the test that runs, then with each of its subtests. */
const levels: Cleanup[][] = [[]];

/** Run at the end of each test. */
const always = new Set<Cleanup>();

/** Does something at the end of each test. */
export function doAfterEach(cleanup: Cleanup): void {
  always.add(cleanup);
}

/** Ends something with the present test, or with the file if no test runs, such as in `before()`. What began last ends first. */
export function endLater(cleanup: Cleanup): void {
  levels.at(-1)?.push(cleanup);
}

/** Ends something with the file. */
export function endWithFile(cleanup: Cleanup): void {
  levels[0]?.unshift(cleanup); // after the clients
}

/** Uses the hooks of a runner. To be called outside of tests. */
export function useHooks({ beforeEach, afterEach, afterAll }: Hooks): void {
  beforeEach(() => void levels.push([]));
  afterEach(async () => endAll([...always, ...(levels.length > 1 ? (levels.pop() ?? []) : [])]));
  afterAll(async () => endAll(levels.splice(0, levels.length, []).flat()));
}

/** Each ends, though another one fails. */
async function endAll(cleanups: readonly Cleanup[]): Promise<void> {
  const errors: unknown[] = [];
  for (const cleanup of cleanups.toReversed()) {
    try {
      await cleanup();
    } catch (error) {
      errors.push(error);
    }
  }
  if (errors.length === 1) throw errors[0];
  if (errors.length > 1) throw new AggregateError(errors, 'several cleanups failed');
}

/** Uses those of Vitest, which cannot be required. Called by the ESM entry, test.mjs. @public */
export async function useVitest(): Promise<void> {
  if (!process.env['VITEST']) return;
  const hooks: unknown = await import(VITEST);
  useHooks(hooks as Hooks); // Vitest's
}

/** The hooks of the runner of this process. Undefined for Vitest. */
export function findHooks(): Hooks | undefined {
  if (process.env['VITEST']) return undefined;
  const { beforeEach, afterEach, afterAll, after } = globalThis as Partial<Hooks> & { after?: Hook }; // the globals of mocha and Jest
  const last = afterAll ?? after;
  return beforeEach && afterEach && last ? { beforeEach, afterEach, afterAll: last } : { ...nodeTest, afterAll: nodeTest.after };
}
