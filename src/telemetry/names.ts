/** All metrics, by OpenTelemetry's names: where its conventions have a name, that is taken. docs/metrics.md lists the same, as a test compares. */

/** By name. */
export type Attributes = Readonly<Record<string, string>>;

/** One series of a metric. */
export interface Point {
  readonly attributes: Attributes;
  readonly value: number | Distribution;
}

/** What a histogram has counted. */
export interface Distribution {
  /** For each of `BOUNDS` the values up to it and above the one before, and those above all of them. */
  readonly counts: readonly number[];
  readonly sum: number;
}

interface Metric {
  /** A counter only grows, a sum goes up and down, and a gauge is not to be added up. */
  readonly kind: 'counter' | 'sum' | 'gauge' | 'histogram';
  /** By UCUM, in braces if it is only a word. */
  readonly unit: string;
  readonly help: string;
}

/** The buckets of durations, in s: those of OpenTelemetry's conventions for messaging. */
export const BOUNDS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];

export const METRICS = {
  'socketio.server.active_connections': { kind: 'sum', unit: '{connection}', help: 'Connections of clients now.' },
  'socketio.server.active_sockets': { kind: 'sum', unit: '{socket}', help: 'Clients in a namespace now.' },
  'socketio.server.rooms': { kind: 'sum', unit: '{room}', help: 'Rooms of a namespace now, without those of one socket.' },
  'socketio.server.handshakes': { kind: 'counter', unit: '{handshake}', help: 'Handshakes that have begun a session.' },
  'socketio.server.refusals': { kind: 'counter', unit: '{refusal}', help: 'Requests and clients that were refused, by code.' },
  'socketio.server.disconnects': { kind: 'counter', unit: '{disconnect}', help: 'Clients that have left a namespace, by reason.' },
  'socketio.server.packets': { kind: 'counter', unit: '{packet}', help: 'Packets from and to clients.' },
  'socketio.server.io': { kind: 'counter', unit: 'By', help: 'Bytes of these packets.' },
  'messaging.process.duration': { kind: 'histogram', unit: 's', help: 'Time from an event to the end of its handling.' },
  'socketio.server.errors': { kind: 'counter', unit: '{error}', help: 'Events that have failed, by code.' },
  'socketio.server.active_handlers': { kind: 'sum', unit: '{handler}', help: 'Handlers and connection middleware that run now.' },
  'socketio.server.limits': { kind: 'counter', unit: '{time}', help: 'How many times each limit was reached.' },
  'socketio.server.backlog.connections': { kind: 'sum', unit: '{connection}', help: 'Clients that do not keep up now.' },
  'socketio.server.backlog.size': { kind: 'sum', unit: 'By', help: 'Bytes that wait for clients that do not keep up.' },
  'messaging.client.sent.messages': { kind: 'counter', unit: '{message}', help: 'Messages to other workers or servers.' },
  'messaging.client.consumed.messages': { kind: 'counter', unit: '{message}', help: 'Messages of other workers or servers.' },
  'socketio.server.backplane.reachable': { kind: 'gauge', unit: '{status}', help: '1 if other workers or servers can be reached, else 0.' },
  'socketio.server.backplane.outages': {
    kind: 'counter',
    unit: '{outage}',
    help: 'Times that other workers or servers became unreachable.',
  },
  'socketio.server.backplane.lost_messages': {
    kind: 'counter',
    unit: '{message}',
    help: 'Messages to other workers or servers that were lost.',
  },
} satisfies Record<string, Metric>;

export type MetricName = keyof typeof METRICS;

/** The series of each metric that has any. */
export type Reading = Partial<Record<MetricName, readonly Point[]>>;

/** The names with their metrics. */
export const METRIC_LIST = Object.entries(METRICS) as (readonly [MetricName, Metric])[]; // the table's own
