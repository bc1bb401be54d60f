/** How the workers of one machine work together: decided once, from how Egg was started and from the config. */
import cluster from 'node:cluster';
import { isMainThread, threadId } from 'node:worker_threads';
import { allowsPolling } from '../config/checks';
import type { Settings } from '../config/settings';
import { messageOf } from '../errors';

/** What Egg was started with, as far as it matters here. */
interface Start {
  readonly mode?: string;
  readonly workers?: number;
  readonly sticky?: boolean;
}

export interface Teamwork {
  /** Whether any worker takes the requests of any client. */
  readonly routesSessions: boolean;
  /** Whether broadcasts reach the other workers by way of the agent. */
  readonly usesHub: boolean;
  /** Which it is and why, for the log. */
  readonly description: string;
  /** What is not going to work, and what to do. */
  readonly warning: string | undefined;
}

/** By Egg's messenger from the agent to a worker that is alone: there is a hub now. */
export const JOIN_HUB = 'egg-socket.io:join-hub';

export function teamworkOf(start: Start, settings: Settings): Teamwork {
  const { mode, workers = 1, sticky = false } = start;
  const { init, adapter } = settings;
  const through = adapter && `broadcasts go through ${adapter.name === 'own' ? 'an adapter of the app' : `the adapter ${adapter.name}`}`;
  if (workers <= 1) {
    const description = `one worker takes all requests; ${through ?? 'broadcasts stay in the process'}`;
    const warning = mode === 'single' && cluster.isWorker ? processesUnknown(allowsPolling(init), adapter !== undefined) : undefined;
    return { routesSessions: false, usesHub: false, description, warning };
  }
  const obstacle = settings.cluster ? (process.platform === 'win32' ? 'this is Windows' : undefined) : 'config.io.cluster is false';
  const routesSessions = !obstacle && !sticky;
  const requests = routesSessions
    ? 'any worker takes the requests of any client'
    : `a client's requests have to reach the same worker, ${sticky ? 'as they do with sticky' : `and ${obstacle}`}`;
  const broadcasts = obstacle ? `broadcasts stay in the process, since ${obstacle}` : 'broadcasts go through the hub in the agent';
  return {
    routesSessions,
    usesHub: !obstacle && !through,
    description: `worker ${ownWorkerId()}: ${requests}; ${through ?? broadcasts}`,
    warning: sticky || routesSessions || !allowsPolling(init) ? undefined : stickyMissing(workers),
  };
}

/** A name that no other worker of this start has, nor one that takes this one's place: digits. */
export function ownWorkerId(): string {
  return String(isMainThread ? (cluster.worker?.id ?? process.pid) : threadId);
}

function stickyMissing(workers: number): string {
  const problem = `${workers} workers without sticky: requests of clients that poll reach workers that do not know them; start with --sticky, or set config.io.init.transports to ['websocket'] here and in the clients`;
  return messageOf('IO_STICKY_MISSING', problem);
}

/** Of a process manager that has several processes share a port. Egg does not know how many there are. */
function processesUnknown(polls: boolean, hasAdapter: boolean): string | undefined {
  const problems = [
    ...(polls
      ? [
          "requests of clients that poll reach processes that do not know them: set config.io.init.transports to ['websocket'] here and in the clients",
        ]
      : []),
    ...(hasAdapter ? [] : ['broadcasts stay in the process: set config.io.adapter']),
  ];
  if (problems.length === 0) return undefined;
  return messageOf('IO_PROCESSES_UNKNOWN', `a process manager has this process share its port with others; ${problems.join('; ')}`);
}
