/**
 * What `DEBUG=egg-socket.io:*` prints to the standard error: what was decided, and why. It is for somebody who looks for a cause, so that each
 * line is written, however many there are; the log counts instead. No line has what clients send, a cookie, a token, or the private id of a
 * session. `debug` is what Socket.IO itself uses, so that both are turned on in one way.
 */
import { debug as topic } from 'debug';
import { oneLine } from './errors';

/** A topic each. A call costs almost nothing while its topic is off. */
export const debug = {
  /** Which worker gets a session or a request. */
  routing: topicOf('routing'),
  /** Who joins and leaves the hub. */
  hub: topicOf('hub'),
  /** Outages of the hub, of Redis or of a database. */
  backplane: topicOf('backplane'),
  /** Why a request or a client is refused. */
  refused: topicOf('refused'),
  /** Whether a client that returns gets its session. */
  recovery: topicOf('recovery'),
  /** Where the sessions of a process go that ends. */
  handover: topicOf('handover'),
};

interface Topic {
  (format: string, ...args: readonly unknown[]): void;
  readonly enabled: boolean;
}

/** Each call writes one line, whatever its values are: clients choose the names of some namespaces, and the message of an app's error can be anything. */
function topicOf(name: string): Topic {
  const log = topic(`egg-socket.io:${name}`);
  const write = (format: string, ...args: readonly unknown[]): void => {
    if (log.enabled) log(format, ...args.map(arg => (typeof arg === 'number' ? arg : oneLine(arg))));
  };
  return Object.defineProperty(write, 'enabled', { get: () => log.enabled }) as Topic; // by this getter
}

/** Whether `DEBUG` names one of these topics, of this package or another. */
export function isDebugged(names: readonly string[]): boolean {
  return names.some(name => topic.enabled(name));
}
