/**
 * The way back from the background. A platform suspends a program some seconds after it has left the foreground, and takes its sockets away,
 * with or without telling.
 */
import { type Api, ask } from './platform';

/** Who waits for the return, by API. A platform is listened to once: not all of them can take one listener away and leave the others. */
const waiting = new WeakMap<Api, Set<() => void>>();

/** Calls back each time that the program comes back from the background. What it returns ends that. */
export function onReturn(api: Api, listener: () => void): () => void {
  const listeners = waiting.get(api) ?? listenTo(api);
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

function listenTo(api: Api): Set<() => void> {
  const listeners = new Set<() => void>();
  let isAway = false; // the first show is the start, from nowhere
  const hidden = (): void => void (isAway = true);
  const shown = (): void => {
    if (isAway) for (const listener of listeners) listener();
    isAway = false;
  };
  // of programs, or of games
  if (!ask(api, 'onAppHide', hidden)) ask(api, 'onHide', hidden);
  if (!ask(api, 'onAppShow', shown)) ask(api, 'onShow', shown);
  waiting.set(api, listeners);
  return listeners;
}
