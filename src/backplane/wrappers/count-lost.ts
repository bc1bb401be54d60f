/** Messages that are lost in an outage. */
import type { ClusterAdapter } from 'socket.io-adapter';
import { isMissed } from '../cluster-message';
import { toError } from '../../errors';
import type { PulsedBackplane } from '../pulsed-backplane';
import { clusterInternals } from '../../internals/adapters';

/** Sends nothing in an outage, and counts what is not sent. */
export function countLost(adapter: ClusterAdapter, backplane: PulsedBackplane): void {
  const doPublish = clusterInternals(adapter).doPublish.bind(adapter);
  Object.assign(adapter, {
    async doPublish(message: object): Promise<string> {
      try {
        if (!backplane.isDown) return await doPublish(message);
      } catch (error) {
        backplane.onPublishError(toError(error));
      }
      if (isMissed(message)) backplane.countLost();
      return '';
    },
  });
}
