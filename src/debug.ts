/**
 * What `DEBUG=egg-socket.io:*` prints to the standard error: what was decided, and why. It is for somebody who looks for a cause, so that each
 * line is written, however many there are; the log counts instead. No line has what clients send, a cookie, a token, or the private id of a
 * session. `debug` is what Socket.IO itself uses, so that both are turned on in one way.
 */
import { debug as topic } from 'debug';

/** A topic each. A call costs almost nothing while its topic is off. */
export const debug = {
  /** Which worker gets a session or a request. */
  routing: topic('egg-socket.io:routing'),
  /** Who joins and leaves the hub. */
  hub: topic('egg-socket.io:hub'),
  /** Outages of the hub, of Redis or of a database. */
  backplane: topic('egg-socket.io:backplane'),
  /** Why a request or a client is refused. */
  refused: topic('egg-socket.io:refused'),
  /** Whether a client that returns gets its session. */
  recovery: topic('egg-socket.io:recovery'),
  /** Where the sessions of a process go that ends. */
  handover: topic('egg-socket.io:handover'),
};

/** Whether `DEBUG` names one of these topics, of this package or another. */
export function isDebugged(names: readonly string[]): boolean {
  return names.some(name => topic.enabled(name));
}
