/** The most common mistake in middleware. */

/** Whether the source of middleware has `await next;`, which waits for nothing. Also true for a comment with these words. */
export function forgetsCall(middleware: (...args: never[]) => unknown): boolean {
  return /\b(?:await|yield)\s+next\s*(?:[;\n}]|$)/.test(Function.prototype.toString.call(middleware));
}
