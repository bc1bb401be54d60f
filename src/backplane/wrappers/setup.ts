/** The kinds of adapters, and what their wrappers need. */
import type { Namespace } from 'socket.io';
import type { Adapter } from 'socket.io-adapter';
import type { Deprecations } from '../../deprecated/deprecations';
import type { Logger } from '../../egg';
import type { Limits } from '../../limits/limits';
import type { Backplane } from '../backplane';
import type { Operator } from '../operators';
import type { PulsedBackplane } from '../pulsed-backplane';
import type { LoggedSource } from '../recovery/logged-source';
import type { BroadcastTracer } from './trace-broadcasts';

/** Those that stand on Socket.IO's ClusterAdapter. */
export const CLUSTER = ['redis-sharded', 'redis-streams', 'postgres'] as const;
/** Those that reach other servers, through a backend. */
export const SERVERS = ['redis', ...CLUSTER, 'mongo'] as const;
/** Those whose packets are encoded here: all but an adapter of the app's own. */
export const ENCODED = ['memory', 'hub', ...SERVERS] as const;
export const ALL = ['own', ...ENCODED] as const;
/** Those that keep by themselves what clients have missed. */
export const STORED = ['own', 'redis-streams'] as const;
/** Those where the processes keep it. */
export const LOGGED = ['memory', 'hub', 'redis', 'redis-sharded', 'postgres', 'mongo'] as const;

/** An adapter by what carries its messages, with its backplane. `own` is one of the app's own. */
export type Carrier =
  | { readonly kind: 'memory' | 'own'; readonly backplane: undefined }
  | { readonly kind: 'hub'; readonly backplane: Backplane }
  | { readonly kind: (typeof SERVERS)[number]; readonly backplane: PulsedBackplane };

type Kind = Carrier['kind'];

/** An adapter, and what its wrappers need. */
export type Setup = Carrier & {
  readonly adapter: Adapter;
  readonly nsp: Namespace;
  /** Makes the operators of the namespace the first time, and returns them. After `recoverConnections`, whose sockets get them as well. */
  readonly operators: () => Operator;
  readonly deprecations: Deprecations;
  /** Undefined in the agent. */
  readonly limits: Limits | undefined;
  readonly logger: Logger;
  /** Whether other servers than those of this plugin are to read what is published. */
  readonly interop: boolean;
  /** Whether Socket.IO stores and reads the sessions of clients, with any adapter. */
  readonly isRecoveryOn: boolean;
  /** Whether the adapter is known to keep what clients that come back have missed. */
  readonly recovers: boolean;
  /** Resolves when the backplane can be used. Undefined where nothing waits for it. */
  readonly opened: Promise<void> | undefined;
  /** Undefined if broadcasts have no spans. */
  readonly tracer: BroadcastTracer | undefined;
  /** Set by the row of recovery, for those after it. */
  source?: LoggedSource;
};

/** Wraps the adapter, if it is of the row's kinds. */
export type Row = (setup: Setup) => void;

/** A row for these kinds of adapters, whose wrapper is given their setup. */
export function of<K extends Kind>(kinds: readonly K[], put: (setup: Setup & { readonly kind: K }) => void): Row {
  return setup => {
    if (isOf(setup, kinds)) put(setup);
  };
}

function isOf<K extends Kind>(setup: Setup, kinds: readonly K[]): setup is Setup & { readonly kind: K } {
  const all: readonly Kind[] = kinds;
  return all.includes(setup.kind);
}
