/** Listeners of the app's own. Where Node's emitter calls them, what one of them throws or rejects with ends the process. */

/**
 * Calls listeners as an emitter does, one after the other, with `target` as their `this`.
 * @param onFailure is told what one of them throws, now or later; the others are called all the same. It must not throw
 */
export function callListeners(
  target: object,
  listeners: readonly ListenerFunction[],
  args: readonly unknown[],
  onFailure: (thrown: unknown) => void,
): void {
  for (const listener of listeners) {
    try {
      const result: unknown = Reflect.apply(listener, target, args);
      if (isThenable(result)) Promise.resolve(result).catch(onFailure);
    } catch (thrown) {
      onFailure(thrown);
    }
  }
}

/** As `rawListeners()` types them. */
type ListenerFunction = ReturnType<NodeJS.EventEmitter['rawListeners']>[number];

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && typeof Reflect.get(value, 'then') === 'function';
}
