/** Readers of the options that are paths which this plugin answers over HTTP. */
import { isDevelopment, SetupError } from '../errors';
import { isSet } from './readers';

export function readDocuments(value: unknown, env: string | undefined): string | false {
  const path = isSet(value) ? value : env === 'local' && '/io-docs';
  if (path !== false && !isPath(path))
    throw new SetupError('IO_CONFIG_INVALID', "config.io.documents must be false or a path, such as '/io-docs'");
  return isDevelopment(env) ? path : false;
}

export function readHealth(value: unknown): string | false {
  const path = value === true ? '/-/io/health' : isSet(value) && value;
  if (path !== false && !isPath(path))
    throw new SetupError('IO_CONFIG_INVALID', "config.io.health must be true, false or a path, such as '/-/io/health'");
  return path;
}

function isPath(value: unknown): value is string {
  return typeof value === 'string' && /^(\/[\w.-]+)*\/[\w.-]*[\w-]$/.test(value);
}
