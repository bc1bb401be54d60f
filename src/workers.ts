/** How the workers of one machine work together: decided once, from how Egg was started and from the config. */
import cluster from 'node:cluster';
import { isMainThread, threadId } from 'node:worker_threads';
import type { Settings } from './config';
import { messageOf } from './errors';

/** What Egg was started with, as far as it matters here. */
interface Start {
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

export function teamworkOf(start: Start, settings: Settings): Teamwork {
  const { workers = 1, sticky = false } = start;
  const { cluster: isWanted, redis, init } = settings;
  const adapter = redis ? 'Redis' : init.adapter && 'config.io.init.adapter';
  if (workers <= 1) return alone(adapter);
  const obstacle = isWanted ? (process.platform === 'win32' ? 'on Windows' : undefined) : 'with config.io.cluster false';
  const routesSessions = !obstacle && !sticky;
  const usesHub = !obstacle && !adapter;
  return {
    routesSessions,
    usesHub,
    description: [
      routesSessions
        ? 'any worker takes the requests of any client'
        : `a client's requests have to reach the same worker, ${sticky ? 'as they do with sticky' : obstacle}`,
      usesHub
        ? 'broadcasts go through the hub in the agent'
        : `broadcasts ${adapter ? `go through ${adapter}` : `stay in the process ${obstacle}`}`,
    ].join('; '),
    warning: sticky || routesSessions || !polls(init.transports) ? undefined : stickyMissing(workers),
  };
}

/** A name that no other worker of this start has, nor one that takes this one's place: digits. */
export function ownWorkerId(): string {
  return String(isMainThread ? (cluster.worker?.id ?? process.pid) : threadId);
}

function alone(adapter: string | undefined): Teamwork {
  const description = `one worker takes all requests; broadcasts ${adapter ? `go through ${adapter}` : 'stay in the process'}`;
  return { routesSessions: false, usesHub: false, description, warning: undefined };
}

function polls(transports: readonly string[] = ['polling', 'websocket']): boolean {
  return transports.includes('polling');
}

function stickyMissing(workers: number): string {
  const problem = `${workers} workers without sticky: requests of clients that poll reach workers that do not know them; start with --sticky, or set config.io.init.transports to ['websocket'] here and in the clients`;
  return messageOf('IO_STICKY_MISSING', problem);
}
