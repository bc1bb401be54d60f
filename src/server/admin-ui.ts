/** Socket.IO's own admin UI, of the package that the app has installed. */
import type { Server as SocketIoServer } from 'socket.io';
import { appPackage } from '../app-package';
import type { AdminUiSettings } from '../config/admin-ui';

/** The part of the package that is used here. */
interface AdminUiPackage {
  instrument(io: SocketIoServer, options: AdminUiSettings): void;
}

/**
 * @returns a function that sets the admin UI up, to be called when the server has its engine
 * @throws SetupError if the package is not installed
 */
export function adminUiOf(settings: AdminUiSettings, baseDir: string): (server: SocketIoServer) => void {
  const needed = { option: 'config.io.adminUi', code: 'IO_ADMIN_UI_MISSING' } as const;
  const { exported } = appPackage<AdminUiPackage>(baseDir, '@socket.io/admin-ui', needed);
  return server => exported.instrument(server, settings);
}
