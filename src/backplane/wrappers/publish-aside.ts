/** Makes the adapter for MongoDB deliver broadcasts to local clients at once, and replace answers that cannot be encoded. */
import type { Namespace } from 'socket.io';
import { type Adapter, type BroadcastOptions, MessageType } from 'socket.io-adapter';
import { sendable } from '../answer';
import type { Backplane } from '../backplane';
import { encoded, isMissed, locally } from '../cluster-message';
import { messageOf, oneLine } from '../../errors';
import { toError } from '../../thrown';
import { LogLimit } from '../../log-limit';
import { mongoInternals } from '../../internals/adapters';
import { PacketCodec } from '../packet-codec';
import { officialMessage } from './official-messages';

/** Errors of the driver that mean an outage, which is logged by itself. */
const OF_OUTAGE = /^Mongo(?:Network|ServerSelection|Topology|NotConnected|Pool|ServerClosed|ClientClosed)/;

/** The adapter inserts a broadcast, waits, and delivers it to clients of this server only if that succeeds. Here it does both at once. */
export function publishAside(adapter: Adapter, nsp: Namespace, backplane: Backplane, interop: boolean): void {
  const codec = new PacketCodec(nsp);
  const broadcast = adapter.broadcast.bind(adapter);
  const insert = mongoInternals(adapter).publish.bind(adapter);
  const close = adapter.close.bind(adapter);
  const limit = new LogLimit({ interval: 60_000 });
  const logRefusal = ({ name, message }: Error): void => {
    const words = oneLine(`${name}: ${message}`);
    const write = (more: string): void =>
      backplane.logger.error(
        messageOf('IO_DATABASE_REFUSED', `${backplane.name} refuses to insert a message, which other servers miss${more}: ${words}`),
      );
    limit.log(
      words,
      () => write(''),
      count => write(`, and ${count} more in the last minute`),
    );
  };
  const publish = (document: object): Promise<string> => {
    const published = backplane.isDown
      ? Promise.reject(backplane.error())
      : insert(officialMessage(sendable(document, backplane.answers, codec), interop, true)); // it is encoded after some awaits
    published.catch((thrown: unknown) => {
      if (isMissed(document)) backplane.countLost();
      const error = toError(thrown);
      if (!backplane.isDown && !OF_OUTAGE.test(error.name)) logRefusal(error);
    }); // the adapter does not handle all rejections
    return published;
  };
  Object.assign(adapter, {
    publish,
    close(): unknown {
      limit.flush();
      return close();
    },
    broadcast(packet: object, opts: BroadcastOptions): void {
      if (!opts.flags?.local) void publish({ type: MessageType.BROADCAST, data: { packet, opts: encoded(opts) } });
      broadcast(packet, locally(opts));
    },
  });
}
