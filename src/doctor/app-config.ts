/** The config of an app, as Egg reads it. Nothing of the app is started: only the files of `config` run, and those of its plugins. */
import { SetupError } from '../errors';

/** The part of the package egg that is used here, the same in egg 3, 4.0 and 4.1. */
export interface Egg {
  readonly Application: { readonly prototype: object };
  readonly AppWorkerLoader: new (options: { baseDir: string; app: object; logger: object }) => Loader;
}

interface Loader {
  readonly serverEnv: string;
  readonly config: Record<string, unknown>;
  /** Those that are enabled, by name. */
  readonly plugins: Readonly<Record<string, { readonly path?: string } | undefined>>;
  /** Asynchronous from egg 4 on. */
  loadConfig(): void | Promise<void>;
}

export interface AppConfig {
  readonly env: string;
  readonly config: Record<string, unknown>;
  /** The folder of the plugin that the app uses. */
  readonly plugin: string;
}

const SILENT = { debug() {}, info() {}, warn() {}, error() {}, log() {} };

/** Rejects if a file of the config fails. @throws SetupError if the app does not use this plugin */
export async function loadConfig({ Application, AppWorkerLoader }: Egg, baseDir: string): Promise<AppConfig> {
  const app = Object.create(Application.prototype) as object; // the loader looks only where its class is
  Object.defineProperty(app, 'options', { value: { baseDir, type: 'application' } }); // egg 4.1 names it in its debugging log
  const loader = new AppWorkerLoader({ baseDir, app, logger: SILENT });
  await loader.loadConfig();
  const { serverEnv: env, config, plugins } = loader;
  const plugin = plugins['io']?.path;
  if (plugin === undefined)
    throw new SetupError(
      'IO_CONFIG_INVALID',
      `config/plugin does not turn on the plugin 'io' in the environment ${env}, or is TypeScript in a folder that is not compiled`,
    );
  return { env, config, plugin };
}
