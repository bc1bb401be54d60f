/** Waits for what no event announces. */
import type { TestContext } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { waitFor } from './waits';

/** In ms, between two looks: a process that looks at each turn takes a core from the work for which it waits. */
const PAUSE = 2;
/** Not the one of a test that has the clock in its hands. */
const pass = setTimeout;

/** Looks again and again whether something is so. Once the test has ended, as by its time-out, it looks no more, and rejects. */
export async function until(t: Pick<TestContext, 'signal'>, condition: () => boolean | Promise<boolean>): Promise<void> {
  const end = waitFor(String(condition));
  try {
    while (!(await condition())) await pass(PAUSE, undefined, { signal: t.signal });
  } finally {
    end();
  }
}

/** Does it again and again, until something has come of it, or the test has ended. */
export async function repeatUntil(t: TestContext, action: () => void, effect: Promise<unknown>): Promise<void> {
  const again = setInterval(action, 20);
  const stop = (): void => clearInterval(again);
  t.after(stop);
  await effect;
  stop();
}
