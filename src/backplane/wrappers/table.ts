/**
 * The wrappers of adapters, in the order in which they are put on. Each replaces methods of one adapter by functions that call the methods before:
 * of those that replace the same method, the last is called first. Where a row has to stand before or after another, its comment says why, and a
 * test fails otherwise. Any other two may change places.
 */
import { answerSafely } from './answer-safely';
import { checkDocuments, checkMessages } from './check-messages';
import { broadcastHere, deliverLocallyFirst } from './deliver-locally';
import { encodeOnce, refuseFirst } from './encode-once';
import { endInOutage } from './end-in-outage';
import { failFast } from './fail-fast';
import { keepHistory } from './keep-history';
import { logFailedRecovery } from './log-failed-recovery';
import { publishOfficially } from './official-messages';
import { frameOnce } from './frame-once';
import { guardJoins } from './guard-joins';
import { forgetAcknowledgements, forgetForOthers, forgetForOthersOfMongo } from './forget-acknowledgements';
import { publishAside } from './publish-aside';
import { historyOf } from '../../store/history';
import { LoggedSource } from '../recovery/logged-source';
import { StoredSource } from '../recovery/stored-source';
import { addOffsets, hearRoomsOfGone, logBroadcasts } from './log-broadcasts';
import { recoverConnections } from './recovery';
import { restoreWhileUp } from './restore-while-up';
import { ALL, CLUSTER, ENCODED, LOGGED, of, type Row, SERVERS, type Setup, STORED } from './setup';
import { traceBroadcasts, traceDeliveries } from './trace-broadcasts';
import { waitUntilOpen } from './wait-until-open';

const ROWS: readonly Row[] = [
  // Their broadcast publishes, waits, and then turns to local clients. Now it does the last alone. Before `deliverLocallyFirst` and `publishAside`,
  // which publish, and all others that replace `broadcast`: this one calls none that it finds.
  of([...CLUSTER, 'mongo'], ({ adapter }) => broadcastHere(adapter)),

  // Packets that are encoded are published in the official form.
  of(CLUSTER, ({ adapter, interop }) => publishOfficially(adapter, interop)),

  // Socket.IO keeps what waits for a client's acknowledgement until the client goes.
  of(ALL, ({ adapter, nsp }) => forgetAcknowledgements(adapter, nsp)),

  // The same where another server has asked. Before `checkMessages` and `checkDocuments`, which make packets of what others have written.
  of(CLUSTER, ({ adapter, nsp }) => forgetForOthers(adapter, nsp)),
  of(['mongo'], ({ adapter, nsp }) => forgetForOthersOfMongo(adapter, nsp)),

  // What the app and clients answer may be what cannot be encoded, which would throw where nobody catches it.
  of(CLUSTER, ({ adapter, backplane, nsp }) => answerSafely(adapter, nsp, backplane.answers)),

  // A client that comes back while Redis does not answer is a new one, at once. Before `recoverConnections`, which keeps the method that it finds.
  of(['redis-streams'], ({ adapter, backplane, recovers }) => {
    if (recovers) restoreWhileUp(adapter, backplane);
  }),

  // The same where an adapter of the app's own fails, with a line of log. Also before `recoverConnections`.
  of(['own'], ({ adapter, nsp, logger, isRecoveryOn }) => {
    if (isRecoveryOn) logFailedRecovery(adapter, nsp, logger);
  }),

  // Keeps what is emitted to clients that are coming back. It has to see a broadcast at the moment when that goes to local clients: before
  // `deliverLocallyFirst`, which may put it off. And it reads messages: before `checkMessages`, which lets none in that is not one.
  of(STORED, ({ adapter, nsp, recovers, logger }) => {
    if (recovers) recoverConnections(adapter, nsp, clients => new StoredSource(adapter, clients), logger);
  }),

  // The same where the processes keep the events by themselves. These are logged further down.
  of(LOGGED, setup => {
    const { adapter, nsp, backplane, recovers, logger } = setup;
    if (recovers)
      setup.source = recoverConnections(adapter, nsp, clients => new LoggedSource(adapter, nsp, clients, backplane), logger).source;
  }),

  // These add offsets of their own, which are none: their backends keep nothing.
  of(['redis-sharded', 'postgres', 'mongo'], ({ adapter, source }) => {
    if (source) Object.assign(adapter, { addOffsetIfNecessary() {} });
  }),
  // This adapter ignores events to rooms without local clients, whose clients may come back.
  of(['redis'], ({ adapter, source }) => {
    if (source) hearRoomsOfGone(adapter, source);
  }),

  // Whoever can write to the backend could end this process by a message that is not one.
  of(CLUSTER, ({ adapter, backplane, nsp }) => checkMessages(adapter, nsp, backplane.inbox, backplane.channelOf(nsp.name))),
  of(['mongo'], ({ adapter, backplane, nsp }) => checkDocuments(adapter, nsp, backplane.inbox, backplane.channelOf(nsp.name))),

  // Local clients do not wait for other servers. The adapter `redis` does so by itself: see PubSubAdapter.
  of(CLUSTER, ({ kind, adapter, backplane, recovers }) => deliverLocallyFirst(adapter, backplane, recovers && kind === 'redis-streams')),
  // The same for MongoDB's adapter, with its answers, and with the count of what is lost in an outage.
  of(['mongo'], ({ adapter, backplane, nsp, interop }) => publishAside(adapter, nsp, backplane, interop)),

  // Questions to other servers fail when these cannot be asked. The hub's adapter does so by itself.
  of(SERVERS, ({ adapter, backplane }) => failFast(adapter, backplane, backplane.requestsTimeout)),

  // The same for broadcasts that clients are to acknowledge. Each is followed by a count of the servers, which this tells from all other counts:
  // after `failFast`, which counts as well.
  of(['hub', ...SERVERS], ({ adapter, backplane, operators }) => endInOutage(operators(), adapter, backplane)),

  // The calls of Socket.IO 2. Those of the adapter follow when it has all wrappers.
  of(ALL, ({ operators, deprecations }) => deprecations.addToOperators(operators())),

  // In the agent: calls before the backplane is open wait for it. After all that would not wait: `deliverLocallyFirst` and `publishAside` would
  // publish at once, `failFast` would fail.
  of(ALL, ({ adapter, opened }) => {
    if (opened) waitUntilOpen(adapter, opened);
  }),

  // The rooms of users and the like are not the app's, and a socket that has too many rooms keeps no others from joining. After `waitUntilOpen`: the other way round, a call in the agent that has to wait would not
  // throw at its caller.
  of(ALL, ({ adapter }) => guardJoins(adapter)),

  // Broadcasts of other processes have spans where clients get them. Before `frameOnce`, which knows to how many it has written.
  of(ALL, ({ adapter, nsp, tracer }) => {
    if (tracer) traceDeliveries(adapter, nsp, tracer);
  }),

  // WebSockets with nothing waiting get the frame of a broadcast directly.
  of(ENCODED, ({ adapter, nsp }) => frameOnce(adapter, nsp)),

  // Encoded packets get their offsets. Before `encodeOnce`, which is called first.
  of(LOGGED, ({ adapter, source }) => {
    if (source) addOffsets(adapter, source.offsets);
  }),

  // Rooms with history. Before `encodeOnce`, and after all others: it makes two broadcasts of one, and what it keeps is as the app has emitted it.
  of(ENCODED, ({ adapter, nsp, logger, limits, source }) => {
    const history = historyOf(nsp);
    if (history) keepHistory(adapter, nsp, history, { logger, limits, offsets: source?.offsets });
  }),

  // Encodes a broadcast before anybody has got it, and throws at the caller what cannot be sent. Last: all others see packets that are encoded, and
  // the caller waits for none of them.
  of(ENCODED, ({ adapter, nsp }) => encodeOnce(adapter, nsp)),

  // A broadcast has one span, with what is thrown at the caller. Before `logBroadcasts`: an emit to one client goes past it, as without recovery.
  of(ALL, ({ adapter, nsp, tracer }) => {
    if (tracer) traceBroadcasts(adapter, nsp, tracer);
  }),

  // Logs what clients may have missed, as it is delivered. After `encodeOnce` and `frameOnce`, which encode, and apply what has been encoded.
  of(LOGGED, ({ adapter, source }) => {
    if (source) logBroadcasts(adapter, source);
  }),
  // An adapter of the app's own encodes packets itself. After `waitUntilOpen`: the other way round, a call in the agent that has to wait would not
  // throw at its caller.
  of(['own'], ({ adapter, nsp }) => refuseFirst(adapter, nsp)),
];

/** Puts on all wrappers of an adapter. */
export function wrap(setup: Setup): void {
  for (const row of ROWS) row(setup);
}
