/** Makes one view of the reports of all processes. */
import { type Counted, Largest, type Listed, MAX_LISTED } from './lists';
import type { ProcessLine, Report, ShownSocket, SocketLine } from './report';

/** What the page gets. */
export interface Overview {
  readonly processes: readonly ProcessLine[];
  readonly namespaces: Listed<Counted>;
  readonly sockets: Listed<SocketLine>;
  readonly rooms: Listed<Counted>;
  readonly users: Listed<Counted>;
  readonly shown: ShownSocket | undefined;
  /** Why it may not have all processes. */
  readonly problem: string | undefined;
}

export function merge(reports: readonly Report[], problem: string | undefined): Overview {
  const sockets = reports.flatMap(report => report.sockets.entries).sort((one, other) => other.since - one.since);
  return {
    processes: reports.map(report => report.process).sort((one, other) => (one.id < other.id ? -1 : 1)),
    namespaces: sum(reports.map(({ namespaces }) => namespaces)),
    sockets: { entries: sockets.slice(0, MAX_LISTED), count: reports.reduce((count, report) => count + report.sockets.count, 0) },
    rooms: sum(reports.map(({ rooms }) => rooms)),
    users: sum(reports.map(({ users }) => users)),
    shown: reports.find(({ shown }) => shown)?.shown,
    problem,
  };
}

/** The same name in several processes is one. A process that has more than it lists may have names that no other one lists: at least so many. */
function sum(lists: readonly Listed<Counted>[]): Listed<Counted> {
  const sums = new Map<string, number>();
  for (const { entries } of lists) for (const [name, sockets] of entries) sums.set(name, (sums.get(name) ?? 0) + sockets);
  const largest = new Largest();
  for (const [name, sockets] of sums) largest.add(name, sockets);
  const { entries, count } = largest.list;
  return { entries, count: Math.max(count, ...lists.map(list => list.count)) };
}
