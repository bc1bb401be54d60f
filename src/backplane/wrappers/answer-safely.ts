/** Replaces answers to other servers that cannot be encoded. */
import type { Namespace } from 'socket.io';
import type { Adapter } from 'socket.io-adapter';
import { type Answers, type Response, sendable } from '../answer';
import { PacketCodec } from '../packet-codec';
import { clusterInternals } from '../../internals/adapters';

/** Makes an adapter send an error instead of an answer that cannot be encoded. */
export function answerSafely(adapter: Adapter, nsp: Namespace, answers: Answers): void {
  const codec = new PacketCodec(nsp);
  const { publishResponse } = clusterInternals(adapter);
  Object.assign(adapter, {
    publishResponse(requester: string, response: Response): void {
      publishResponse.call(adapter, requester, sendable(response, answers, codec));
    },
  });
}
