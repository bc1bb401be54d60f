/**
 * The wrappers of adapters, in the order in which they are put on. Each replaces methods of one adapter by functions that call the methods before:
 * of those that replace the same method, the last is called first. Where a row has to stand before or after another, its comment says why, and
 * test/once/wrappers.test.ts holds it. Any other two may change places.
 */
import type { Namespace } from 'socket.io';
import type { Adapter, ClusterAdapter } from 'socket.io-adapter';
import { answerSafely } from './answer-safely';
import type { Backplane } from '../backplane';
import { checkDocuments, checkMessages } from './check-messages';
import { broadcastHere, deliverLocallyFirst } from './deliver-locally';
import type { Deprecations } from '../../deprecated/deprecations';
import type { Logger } from '../../egg';
import { encodeOnce, refuseFirst } from './encode-once';
import { endInOutage } from './end-in-outage';
import { failFast } from './fail-fast';
import { logFailedRecovery } from './log-failed-recovery';
import { publishOfficially } from './official-messages';
import { forgetAcknowledgements, forgetForOthers } from './forget-acknowledgements';
import type { Operator } from '../operators';
import { publishAside } from './publish-aside';
import type { PulsedBackplane } from '../pulsed-backplane';
import { recoverConnections, restoreWhileUp } from './recovery';
import { waitUntilOpen } from './wait-until-open';

/** Adapters that stand on Socket.IO's ClusterAdapter. */
const CLUSTER = ['redis-sharded', 'redis-streams', 'postgres'] as const;
const SERVERS = ['redis', ...CLUSTER, 'mongo'] as const;
const ALL = ['memory', 'own', 'hub', ...SERVERS] as const;

/** An adapter by what carries its messages. `own` is one of the app's own. */
type Kind = (typeof ALL)[number];

/** An adapter, and what its wrappers need. */
export interface Setup {
  readonly kind: Kind;
  readonly adapter: Adapter;
  readonly nsp: Namespace;
  /** Makes the operators of the namespace the first time, and returns them. */
  readonly operators: () => Operator;
  readonly deprecations: Deprecations;
  readonly logger: Logger;
  readonly backplane: Backplane | undefined;
  /** Whether other servers than those of this plugin are to read what is published. */
  readonly interop: boolean;
  /** Whether clients that come back get what they have missed. */
  readonly recovers: boolean;
  /** Resolves when the backplane can be used. Undefined where nothing waits for it. */
  readonly opened: Promise<void> | undefined;
}

/** The setup of the kinds in SERVERS; only those in CLUSTER have a ClusterAdapter. */
interface ServerSetup extends Setup {
  readonly adapter: ClusterAdapter;
  readonly backplane: PulsedBackplane;
}

interface Wrapper {
  readonly name: string;
  readonly kinds: readonly Kind[];
  /** Default: always. */
  when?(setup: Setup): boolean;
  /** A method, so that a row can ask for the setup of its kinds. */
  wrap(setup: Setup): void;
}

const WRAPPERS: readonly Wrapper[] = [
  {
    // Their broadcast publishes, waits, and then turns to local clients. Now it does the last alone. Before all others that replace `broadcast`,
    // which build on it.
    name: 'broadcastHere',
    kinds: CLUSTER,
    wrap: ({ adapter }) => broadcastHere(adapter),
  },
  {
    // Packets that are encoded become those of the official form. Before `countLost`, which may publish nothing.
    name: 'publishOfficially',
    kinds: CLUSTER,
    wrap: ({ adapter, interop }) => publishOfficially(adapter as ClusterAdapter, interop), // one of these kinds
  },
  {
    // Socket.IO keeps what waits for a client's acknowledgement until the client goes.
    name: 'forgetAcknowledgements',
    kinds: ALL,
    wrap: ({ adapter, nsp }) => forgetAcknowledgements(adapter, nsp),
  },
  {
    // The same where another server has asked. Before `checkMessages`, which makes packets of what others have written.
    name: 'forgetForOthers',
    kinds: CLUSTER,
    wrap: ({ adapter, nsp }: ServerSetup) => forgetForOthers(adapter, nsp),
  },
  {
    // What the app and clients answer may be what cannot be encoded, which would throw where nobody catches it.
    name: 'answerSafely',
    kinds: CLUSTER,
    wrap: ({ adapter, backplane, nsp }: ServerSetup) => answerSafely(adapter, nsp, backplane.answers),
  },
  {
    // A client that comes back while Redis does not answer is a new one, at once. Before the next, which keeps the method that it finds.
    name: 'restoreWhileUp',
    kinds: ['redis-streams'],
    when: ({ recovers }) => recovers,
    wrap: ({ adapter, backplane }: ServerSetup) => restoreWhileUp(adapter, backplane),
  },
  {
    // The same where an adapter of the app's own fails, with a line of log. Also before the next.
    name: 'logFailedRecovery',
    kinds: ['own'],
    when: ({ recovers }) => recovers,
    wrap: ({ adapter, nsp, logger }) => logFailedRecovery(adapter, nsp, logger),
  },
  {
    // Keeps what is emitted to clients that are coming back. It has to see a broadcast at the moment when that goes to local clients: before
    // `deliverLocallyFirst`, which may put it off. And it reads messages: before `checkMessages`, which lets none in that is not one.
    name: 'recoverConnections',
    kinds: ['memory', 'own', 'redis-streams'],
    when: ({ recovers }) => recovers,
    wrap: ({ adapter, nsp }) => recoverConnections(adapter, nsp),
  },
  {
    // Whoever can write to the backend could end this process by a message that is not one.
    name: 'checkMessages',
    kinds: CLUSTER,
    wrap: ({ adapter, backplane, nsp }: ServerSetup) => checkMessages(adapter, nsp, backplane.inbox, backplane.channelOf(nsp.name)),
  },
  {
    name: 'checkDocuments', // The same for MongoDB's adapter.
    kinds: ['mongo'],
    wrap: ({ adapter, backplane, nsp }: ServerSetup) => checkDocuments(adapter, nsp, backplane.inbox, backplane.channelOf(nsp.name)),
  },
  {
    // Local clients do not wait for other servers. The adapter `redis` does so by itself: see PubSubAdapter.
    name: 'deliverLocallyFirst',
    kinds: CLUSTER,
    wrap: ({ adapter, backplane, recovers }: ServerSetup) => deliverLocallyFirst(adapter, backplane, recovers),
  },
  {
    name: 'publishAside', // The same for MongoDB's adapter, with its answers, and with the count of what is lost in an outage.
    kinds: ['mongo'],
    wrap: ({ adapter, backplane, nsp, interop }: ServerSetup) => publishAside(adapter, nsp, backplane, interop),
  },
  {
    // Questions to other servers fail when these cannot be asked. The hub's adapter does so by itself.
    name: 'failFast',
    kinds: SERVERS,
    wrap: ({ adapter, backplane }: ServerSetup) => failFast(adapter, backplane, backplane.requestsTimeout),
  },
  {
    // What `nsp.to()` and its like return has methods of its own, in this namespace and its sockets. After `recoverConnections`: that makes the
    // sockets anew, and these operators are put on those.
    name: 'operators',
    kinds: ALL,
    wrap: ({ operators }) => void operators(),
  },
  {
    // As `failFast`, for broadcasts that clients are to acknowledge. Each is followed by a count of the servers, which this tells from all other counts:
    // after `failFast`, which counts as well.
    name: 'endInOutage',
    kinds: ['hub', ...SERVERS],
    wrap: ({ adapter, backplane, operators }: ServerSetup) => endInOutage(operators(), adapter, backplane),
  },
  {
    name: 'deprecatedCalls', // The calls of Socket.IO 2.
    kinds: ALL,
    wrap({ adapter, nsp, operators, deprecations }) {
      deprecations.addToOperators(operators(), nsp);
      deprecations.addToAdapter(adapter);
    },
  },
  {
    // An adapter of the app's own reads packets as it likes.
    name: 'refuseFirst',
    kinds: ['own'],
    wrap: ({ adapter, nsp }) => refuseFirst(adapter, nsp),
  },
  {
    // In the agent: calls before the backplane is open wait for it. After all that would not wait: `deliverLocallyFirst` would
    // publish at once, `failFast` would fail.
    name: 'waitUntilOpen',
    kinds: ALL,
    when: ({ opened }) => opened !== undefined,
    wrap: ({ adapter, opened }) => waitUntilOpen(adapter, opened),
  },
  {
    // Encodes a broadcast before anybody has got it, and throws at the caller what cannot be sent. Last, since all others see packets that are encoded.
    name: 'encodeOnce',
    kinds: ['memory', 'hub', ...SERVERS],
    wrap: ({ adapter, nsp }) => encodeOnce(adapter, nsp),
  },
];

/** Puts on all wrappers of an adapter. */
export function wrap(setup: Setup): void {
  for (const wrapper of WRAPPERS) {
    if (wrapper.kinds.includes(setup.kind) && (wrapper.when?.(setup) ?? true)) wrapper.wrap(setup);
  }
}
