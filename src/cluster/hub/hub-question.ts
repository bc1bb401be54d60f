/** Questions of one worker to all others. They end when each has answered or left. */
import type { BroadcastOptions } from 'socket.io-adapter';
import type { EncodedPacket, PacketCodec } from '../../backplane/packet-codec';
import { decodeValues, type Part } from './hub-message';
import type { HubPeers } from './hub-peers';
import type { Query, Target } from './hub-request';

/** Receives all answers, or an error with the answers so far. */
type Done = (error: Error | null, answers: unknown[]) => void;

/** What is sent along with a question, and how each answer is read. */
interface Contents {
  readonly parts: readonly Part[];
  readonly read: (answer: unknown) => unknown;
}

/**
 * Asks all other workers, and calls back once.
 * @param timeout in ms
 */
export function ask(peers: HubPeers, query: Query, { parts, read }: Contents, timeout: number, done: Done): void {
  const missing = new Set(peers.numbers);
  const answers: unknown[] = [];
  if (!peers.isComplete || missing.size === 0) {
    done(peers.isComplete ? null : peers.backplane.error(), answers);
    return;
  }
  const end = (error: Error | null): void => {
    clearTimeout(timer);
    peers.forget(id);
    done(error, answers);
  };
  const miss = (from: number): void => {
    if (missing.delete(from) && missing.size === 0) end(null);
  };
  const id = peers.expectReplies({
    onReply(from, reply, parts) {
      if (reply.error !== undefined) {
        end(new Error(`another worker cannot send its answer: ${reply.error}`));
        return;
      }
      if (!reply.isNobody) for (const answer of decodeValues(parts)) answers.push(read(answer));
      miss(from);
    },
    onLeft: miss,
    onOutage: end,
  });
  const timer = setTimeout(() => {
    end(new Error(`timeout reached: ${missing.size} of ${peers.count} other workers have not answered in ${timeout} ms`));
  }, timeout).unref();
  if (!peers.publish({ ...query, id }, parts)) end(peers.overflowError());
}

/**
 * Broadcasts to the clients of all other workers, and passes on their acknowledgements as they arrive.
 * @param onClients called with the number of clients of each worker, or 0 if the worker leaves first
 * @throws OutageError if the broadcast cannot be sent
 */
export function broadcastWithAck(
  peers: HubPeers,
  target: Target,
  { packet, codec, opts }: { packet: EncodedPacket; codec: PacketCodec; opts: BroadcastOptions },
  onClients: (count: number) => void,
  onAnswer: (answer: unknown) => void,
): void {
  const asked = new Set(peers.numbers);
  const uncounted = new Set(asked);
  const count = (from: number, clients: number): void => {
    if (uncounted.delete(from)) onClients(clients);
  };
  const id = peers.expectReplies({
    onReply(from, { clients, isNobody }, parts) {
      if (clients !== undefined || isNobody) count(from, clients ?? 0);
      else if (asked.has(from)) onAnswer(codec.decodeAnswer(parts)); // ignores answers of a worker that has joined since
    },
    onLeft: from => count(from, 0),
    onOutage: () => undefined, // endInOutage() answers
  });
  if (!peers.publish({ type: 'broadcast', id, ...target }, packet.frames)) {
    peers.forget(id);
    throw peers.overflowError();
  }
  peers.later(opts.flags?.timeout, () => peers.forget(id));
}
