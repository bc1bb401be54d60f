/** Gives namespaces what the config has for them: middleware that it names, the order of packets, and the limits of users. */
import type { Settings } from '../config/settings';
import { toError } from '../thrown';
import { fileOf, type LoadedFiles } from '../loader/loader';
import { named } from '../path/entrance';
import type { Namespace } from '../path/namespace';
import { UserLimits } from '../path/user-limits';

/** Logs that a `next()` has failed which was called too late. */
export type LateFailureLog = (what: string, thrown: unknown) => void;

export function lateFailureLogOf({ name, runtime }: Namespace): LateFailureLog {
  return (what, thrown) => runtime.failures.log({ level: 'error', what, namespace: name, socket: undefined, error: toError(thrown) });
}

/** To be called when the app has been loaded. @throws SetupError if no file provides a name */
export function takeMiddleware(namespace: Namespace, { namespaces }: Settings, files: LoadedFiles): void {
  const settings = namespaces.get(namespace.name);
  if (!settings) return;
  const { ordered, userLimits } = settings;
  namespace.isOrdered = ordered;
  if (userLimits)
    namespace.userLimits = new UserLimits(userLimits, error => namespace.runtime.refusals.warnOfUncounted(namespace.name, toError(error)));
  const onLateFailure = lateFailureLogOf(namespace);
  const find = (kind: 'connectionMiddleware' | 'packetMiddleware') =>
    settings[kind].map(name => {
      const source = files.middleware(name, `config.io.namespace['${namespace.name}'].${kind}`);
      return { name, source, run: files.toLayer(fileOf(name), source, onLateFailure) };
    });
  namespace.connectionMiddleware = [...find('connectionMiddleware').map(named), ...namespace.connectionMiddleware]; // classes have added theirs
  namespace.packetMiddleware = find('packetMiddleware').map(({ run }) => run);
}
