/**
 * The return from the background. A platform suspends a program some seconds after it has left the foreground, and closes its sockets, with or
 * without an event.
 */
import { type Api, ask } from './platform';

/** The listeners by API. Each platform gets a single listener, since not all platforms can remove one without the others. */
const waiting = new WeakMap<Api, Set<() => void>>();

/** Calls back each time the program returns from the background. Returns a function that ends this. */
export function onReturn(api: Api, listener: () => void): () => void {
  const listeners = waiting.get(api) ?? listenTo(api);
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

function listenTo(api: Api): Set<() => void> {
  const listeners = new Set<() => void>();
  let isAway = false; // the first "show" event is the start of the program
  const hidden = (): void => void (isAway = true);
  const shown = (): void => {
    if (isAway) for (const listener of listeners) listener();
    isAway = false;
  };
  // mini programs have the first method, mini games the second
  if (!ask(api, 'onAppHide', hidden)) ask(api, 'onHide', hidden);
  if (!ask(api, 'onAppShow', shown)) ask(api, 'onShow', shown);
  waiting.set(api, listeners);
  return listeners;
}
