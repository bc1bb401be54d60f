/** Socket.IO's own admin UI, of the package that the app has installed. */
import type { Namespace, Server as SocketIoServer } from 'socket.io';
import { appPackage } from '../app-package';
import type { AdminUiSettings } from '../config/admin-ui';
import type { Settings } from '../config/settings';
import type { EggApplication } from '../egg';
import { IoError, isDevelopment, messageOf } from '../errors';

/** In ms. */
const GUESS_INTERVAL = 1000;

/** The part of the package that is used here. */
interface AdminUiPackage {
  instrument(io: SocketIoServer, options: AdminUiSettings): void;
}

/** The part of the app that is used here. */
type App = Pick<EggApplication, 'baseDir' | 'config' | 'logger'>;

/**
 * @param namespaces those of the config
 * @returns a function that sets the admin UI up, to be called when the server has its engine
 * @throws SetupError if the package is not installed
 */
export function adminUiOf(settings: AdminUiSettings, namespaces: Settings['namespaces'], app: App): (server: SocketIoServer) => void {
  const needed = { option: 'config.io.adminUi', code: 'IO_ADMIN_UI_MISSING' } as const;
  const { exported } = appPackage<AdminUiPackage>(app.baseDir, '@socket.io/admin-ui', needed);
  warnIfOpen(settings, namespaces, app);
  return server => {
    if (settings.auth) limitGuesses(server.of(settings.namespaceName), settings.auth.username);
    exported.instrument(server, settings);
  };
}

/** Has one password a second looked at, whoever gives it: a guess takes a worker 70 ms, and one connection can have thousands. */
function limitGuesses(nsp: Namespace, username: string): void {
  let busyUntil = 0;
  nsp.use(({ handshake }, next) => {
    const { username: name, password } = handshake.auth as { readonly username?: unknown; readonly password?: unknown }; // a client may send anything
    if (name !== username) return next(); // it is refused at once, unless it has a session
    if (typeof password !== 'string') return next(new IoError('INVALID_ARGUMENT', 'The password must be a string'));
    const now = performance.now();
    if (now < busyUntil) return next(new IoError('TRY_AGAIN', 'One password a second is looked at', { status: 429 }));
    busyUntil = now + GUESS_INTERVAL;
    next();
  });
}

/** Without a password, it is for middleware to keep others out. */
function warnIfOpen({ auth, namespaceName }: AdminUiSettings, namespaces: Settings['namespaces'], { config, logger }: App): void {
  const name = namespaceName.replace(/^\/?/, '/');
  if (auth !== false || namespaces.get(name)?.connectionMiddleware.length || isDevelopment(config.env)) return;
  const problem = `config.io.adminUi.auth is false, and config.io.namespace['${name}'] has no connectionMiddleware: whoever reaches the app can disconnect its clients and emit to them, unless the app itself refuses them`;
  logger.warn(messageOf('IO_ADMIN_UI_OPEN', problem));
}
