import { INIT_DEFAULTS } from './config/tables';
import { CONTROLLER_FILES, keepFile, MIDDLEWARE_FILES } from './loader/loaded-file';

/** The default config, which the app's own config overrides. For `io`, see `IoConfig`. */
export default (): object => ({
  io: {
    init: { ...INIT_DEFAULTS },
    namespace: { '/': { connectionMiddleware: [], packetMiddleware: [] } },
  },
  // in all versions of Egg, the only public way to load folders before router.js runs
  customLoader: {
    [CONTROLLER_FILES]: { directory: 'app/io/controller', inject: 'app', loadunit: true, call: false, initializer: keepFile },
    [MIDDLEWARE_FILES]: { directory: 'app/io/middleware', inject: 'app', loadunit: true, call: false, initializer: keepFile },
  },
});
