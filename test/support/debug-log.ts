/** The debugging log of the plugin in this process: what `DEBUG=egg-socket.io:*` prints. */
import type { TestContext } from 'node:test';
import { format } from 'node:util';
import { debug } from 'debug';

/** Turns topics on while a test runs. What they write is added to the list that is returned, a line each: topic and message. */
export function debugLines(t: TestContext, topics: string): string[] {
  const lines: string[] = [];
  const { log } = debug;
  debug.log = (...args: [string, ...unknown[]]) => {
    lines.push(format(...args).replace(/^.*?\begg-socket\.io:/, ''));
  };
  debug.enable(topics);
  t.after(() => {
    debug.disable();
    debug.log = log;
  });
  return lines;
}
