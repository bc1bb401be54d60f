import { INIT_DEFAULTS } from './config/tables';
import { CONTROLLER_FILES, keepFile, MIDDLEWARE_FILES } from './loader/loaded-file';

/** The part of an app's config that is known before it is complete. */
interface AppConfig {
  readonly io?: { readonly accessLog?: unknown };
}

/** What a formatter of Egg's loggers gets. */
interface LogMeta {
  readonly date: string;
  readonly pid: number;
  readonly message: string;
}

/** The logger of the access log. An app's own options are added to these. It opens a file, so only those who want it have it. */
const accessLogger = (name: string): object => ({
  ioAccessLogger: {
    file: `${name}-io-access.log`,
    level: 'INFO', // whatever that of the app's logs is
    consoleLevel: 'NONE',
    formatter: ({ date, pid, message }: LogMeta): string => `${date}\t${pid}\t${message}`,
  },
});

/** The default config, which the app's own config overrides. For `io`, see `IoConfig`. @param config that of the app itself */
export default ({ name }: { readonly name: string }, config?: AppConfig): object => ({
  io: {
    init: { ...INIT_DEFAULTS },
    namespace: { '/': { connectionMiddleware: [], packetMiddleware: [] } },
  },
  ...(config?.io?.accessLog ? { customLogger: accessLogger(name) } : {}),
  // in all versions of Egg, the only public way to load folders before router.js runs
  customLoader: {
    [CONTROLLER_FILES]: { directory: 'app/io/controller', inject: 'app', loadunit: true, call: false, initializer: keepFile },
    [MIDDLEWARE_FILES]: { directory: 'app/io/middleware', inject: 'app', loadunit: true, call: false, initializer: keepFile },
  },
});
