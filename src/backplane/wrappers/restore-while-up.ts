/** Recovery where Redis has the sessions, and may not answer. */
import type { Adapter } from 'socket.io-adapter';
import { recoveryInternals } from '../../internals/adapters';
import type { PulsedBackplane } from '../pulsed-backplane';

/** Makes a client that returns in an outage connect as a new one, without waiting. */
export function restoreWhileUp(adapter: Adapter, backplane: PulsedBackplane): void {
  const { restoreSession, takeSession } = recoveryInternals(adapter);
  const ask = <Result>(work: () => Promise<Result>): Promise<Result> => backplane.ask(work, () => backplane.isAnswering); // even if other servers cannot be asked
  Object.assign(adapter, {
    restoreSession: (pid: string, offset: string) => ask(async () => restoreSession.call(adapter, pid, offset)),
    ...(takeSession && { takeSession: (pid: string) => ask(async () => takeSession.call(adapter, pid)) }),
  });
}
