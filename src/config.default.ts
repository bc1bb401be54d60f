import { INIT_DEFAULTS } from './config/tables';
import { CONTROLLER_FILES, keepFile, MIDDLEWARE_FILES } from './loader/loaded-file';

/** What Egg merges the app's own config over. `io` is described at IoConfig. */
export default (): object => ({
  io: {
    init: { ...INIT_DEFAULTS },
    namespace: { '/': { connectionMiddleware: [], packetMiddleware: [] } },
  },
  // the one public way to load folders that has finished before router.js runs, in all versions of Egg
  customLoader: {
    [CONTROLLER_FILES]: { directory: 'app/io/controller', inject: 'app', loadunit: true, call: false, initializer: keepFile },
    [MIDDLEWARE_FILES]: { directory: 'app/io/middleware', inject: 'app', loadunit: true, call: false, initializer: keepFile },
  },
});
