/** Listeners of the app. If Node's emitter calls them, an error or rejection of one of them ends the process. */

/** The type of the elements of `rawListeners()`. */
type ListenerFunction = ReturnType<NodeJS.EventEmitter['rawListeners']>[number];

/**
 * Calls listeners one after the other like an emitter, with `target` as their `this`.
 * @param onFailure called for each listener that throws or rejects; the others are called anyway. It must not throw.
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

export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && typeof Reflect.get(value, 'then') === 'function';
}
