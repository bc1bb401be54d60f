/**
 * Failures of an adapter of the app's own to store or read the session of a client. Socket.IO calls these methods of any adapter while recovery is
 * on, and swallows what they throw, or lets it end the process.
 */
import type { Namespace } from 'socket.io';
import type { Adapter, Session } from 'socket.io-adapter';
import type { Logger } from '../../egg';
import { messageOf } from '../../errors';
import { toError } from '../../thrown';
import { LogLimit } from '../../log-limit';
import type { Gone } from '../recovery/gone-clients';

/** Logs what fails, once a minute for each method. The client is then a new one when it comes back. */
export function logFailedRecovery(adapter: Adapter, nsp: Namespace, logger: Logger): void {
  const { restoreSession, persistSession } = adapter;
  const close = adapter.close.bind(adapter);
  const limit = new LogLimit({ interval: 60_000 });
  const log = (method: string, thrown: unknown): void => {
    const error = toError(thrown);
    const place = `${method}() of the adapter in config.io.adapter, namespace ${nsp.name}`;
    limit.log(
      method,
      () =>
        logger.error(
          messageOf('IO_RECOVERY_FAILED', `${place}: failed, and a client is not recovered; mend the adapter, or what it uses`),
          error,
        ),
      count => logger.error(messageOf('IO_RECOVERY_FAILED', `${place}: failed, ${count} more in the last minute`), error),
    );
  };
  Object.assign(adapter, {
    async restoreSession(pid: string, offset: string): Promise<Session | null> {
      try {
        return await restoreSession.call(adapter, pid, offset);
      } catch (thrown) {
        if (thrown instanceof Error) log('restoreSession', thrown); // the official adapters reject with a text where there is no session
        return null;
      }
    },

    persistSession(session: Gone): void {
      try {
        Promise.resolve(persistSession.call(adapter, session) as unknown).catch((thrown: unknown) => log('persistSession', thrown)); // it may be asynchronous
      } catch (thrown) {
        log('persistSession', thrown);
      }
    },

    close(): unknown {
      limit.flush();
      return close() as unknown;
    },
  });
}
