/** How the processes of one machine work together: decided once, from Egg's start options and the config. */
import cluster from 'node:cluster';
import { isMainThread, threadId } from 'node:worker_threads';
import { allowsPolling } from '../config/checks';
import type { Settings } from '../config/settings';
import type { EggApplication, Logger } from '../egg';
import { messageOf } from '../errors';
import { RunFolder } from './run-folder';

export interface Topology {
  /** Whether any worker accepts the requests of any client. */
  readonly routesSessions: boolean;
  /** Whether broadcasts reach the other workers through the hub in the agent. */
  readonly usesHub: boolean;
  /** Both of these with the reason, for the log. */
  readonly description: string;
  /** A problem with its remedy. */
  readonly warning: string | undefined;
}

/** The message of Egg's messenger by which the agent tells a single worker that it has started a hub. */
export const JOIN_HUB = 'egg-socket.io:join-hub';

export function topologyOf(options: EggApplication['options'], settings: Settings): Topology {
  const { mode, workers = 1, sticky = false } = options;
  const { init, adapter } = settings;
  const adapterUse = adapter && `broadcasts go through ${adapter.name === 'own' ? 'an adapter of the app' : `the adapter ${adapter.name}`}`;
  if (workers <= 1) {
    const description = `one worker takes all requests; ${adapterUse ?? 'broadcasts stay in the process'}`;
    const isForked = mode === 'single' && cluster.isWorker; // by a process manager
    const warning = isForked ? processesUnknown(allowsPolling(init), adapter !== undefined) : undefined;
    return { routesSessions: false, usesHub: false, description, warning };
  }
  const obstacle = settings.cluster ? (process.platform === 'win32' ? 'this is Windows' : undefined) : 'config.io.cluster is false';
  const routesSessions = !obstacle && !sticky;
  const requests = routesSessions
    ? 'any worker takes the requests of any client'
    : sticky
      ? 'with sticky, all requests of a client reach the same worker'
      : `all requests of a client have to reach the same worker, since ${obstacle}`;
  const broadcasts = obstacle ? `broadcasts stay in the process, since ${obstacle}` : 'broadcasts go through the hub in the agent';
  return {
    routesSessions,
    usesHub: !obstacle && !adapterUse,
    description: `worker ${ownWorkerId()}: ${requests}; ${adapterUse ?? broadcasts}`,
    warning: sticky || routesSessions || !allowsPolling(init) ? undefined : stickyMissing(workers),
  };
}

export function logTopology({ description, warning }: Topology, logger: Logger): void {
  logger.info('[egg-socket.io] %s', description);
  if (warning !== undefined) logger.warn(warning);
}

/** An id of digits, unique among all workers of this start of the app, including replaced ones. */
export function ownWorkerId(): string {
  return String(isMainThread ? (cluster.worker?.id ?? process.pid) : threadId);
}

/** The folder with the sockets of all processes of this start of the app. */
export function folderOf({ config, options }: EggApplication): RunFolder {
  return RunFolder.open(config.rundir, RunFolder.startOf(options.clusterPort));
}

function stickyMissing(workers: number): string {
  const problem = `${workers} workers without sticky: requests of clients that poll reach workers that do not know them; start with --sticky, or set config.io.init.transports to ['websocket'] here and in the clients`;
  return messageOf('IO_STICKY_MISSING', problem);
}

/** The warning for processes of a process manager that share a port. Egg does not know their number. */
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
  return messageOf('IO_PROCESSES_UNKNOWN', `a process manager may run several of these processes on one port; ${problems.join('; ')}`);
}
