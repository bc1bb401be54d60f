/** Waits for what no event announces. */
import type { TestContext } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';

/** Looks at each turn whether something is so. Once the test has ended, as by its time-out, it looks no more, and rejects. */
export async function until(t: Pick<TestContext, 'signal'>, condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await nextTurn(undefined, { signal: t.signal });
}

/** Does it again and again, until something has come of it, or the test has ended. */
export async function repeatUntil(t: TestContext, action: () => void, effect: Promise<unknown>): Promise<void> {
  const again = setInterval(action, 20);
  const stop = (): void => clearInterval(again);
  t.after(stop);
  await effect;
  stop();
}
