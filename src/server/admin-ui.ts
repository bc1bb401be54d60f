/** Socket.IO's own admin UI, of the package that the app has installed. */
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { Server as SocketIoServer } from 'socket.io';
import type { AdminUiSettings } from '../config/admin-ui';
import { SetupError } from '../errors';

const PACKAGE = '@socket.io/admin-ui';

/** The part of the package that is used here. */
interface AdminUiPackage {
  instrument(io: SocketIoServer, options: AdminUiSettings): void;
}

/**
 * @returns a function that sets the admin UI up, to be called when the server has its engine
 * @throws SetupError if the package is not installed
 */
export function adminUiOf(settings: AdminUiSettings, baseDir: string): (server: SocketIoServer) => void {
  let adminUi: AdminUiPackage;
  try {
    adminUi = createRequire(join(baseDir, 'package.json'))(PACKAGE) as AdminUiPackage; // of the versions that package.json names as peers
  } catch (cause) {
    throw new SetupError('IO_ADMIN_UI_MISSING', `config.io.adminUi needs ${PACKAGE}: run \`npm i ${PACKAGE}\``, { cause });
  }
  return server => adminUi.instrument(server, settings);
}
