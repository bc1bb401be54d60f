/** The clock by which rates are counted, in the hands of a test: a machine that is busy changes nothing then. */
import type { TestContext } from 'node:test';

/** All that follows in the test takes no time, but that of the returned function, in ms. */
export function stopTime(t: TestContext): (ms: number) => void {
  let time = Math.ceil(performance.now()); // whole, so that what passes in it adds up exactly
  t.mock.method(performance, 'now', () => time);
  return ms => void (time += ms);
}
