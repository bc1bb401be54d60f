/** Makes the adapter for MongoDB deliver broadcasts to local clients at once, and replace answers that cannot be encoded. */
import type { Namespace } from 'socket.io';
import { type Adapter, type BroadcastOptions, MessageType } from 'socket.io-adapter';
import { sendable } from '../answer';
import type { Backplane } from '../backplane';
import { encoded, isMissed, locally } from '../cluster-message';
import { mongoInternals } from '../../internals/adapters';
import { PacketCodec } from '../packet-codec';
import { officialMessage } from './official-messages';

/** The adapter inserts a broadcast, waits, and delivers it to clients of this server only if that succeeds. Here it does both at once. */
export function publishAside(adapter: Adapter, nsp: Namespace, backplane: Backplane, interop: boolean): void {
  const codec = new PacketCodec(nsp);
  const broadcast = adapter.broadcast.bind(adapter);
  const insert = mongoInternals(adapter).publish.bind(adapter);
  const publish = (document: object): Promise<string> => {
    const published = backplane.isDown
      ? Promise.reject(backplane.error())
      : insert(officialMessage(sendable(document, backplane.answers, codec), interop, true)); // it is encoded after some awaits
    published.catch(() => {
      if (isMissed(document)) backplane.countLost();
    }); // the adapter does not handle all rejections
    return published;
  };
  Object.assign(adapter, {
    publish,
    broadcast(packet: object, opts: BroadcastOptions): void {
      if (!opts.flags?.local) void publish({ type: MessageType.BROADCAST, data: { packet, opts: encoded(opts) } });
      broadcast(packet, locally(opts));
    },
  });
}
