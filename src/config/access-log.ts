/** The options of the access log, and their reader. */
import { booleanAt, isSet, objectAt, readOptions } from './readers';

/** `config.io.accessLog` */
export interface AccessLogConfig {
  /** Whether each packet of a client has a line, too: its event, how long it took, and `OK` or the code of its error. Default: `false`. Since 5. */
  packets?: boolean;
}

/** Undefined if it is off. */
export type AccessLogSettings = Required<AccessLogConfig> | undefined;

const DEFAULTS = { packets: false } satisfies AccessLogSettings;

export function readAccessLog(value: unknown): AccessLogSettings {
  if (!isSet(value) || value === false) return undefined;
  if (value === true) return DEFAULTS;
  const given = objectAt('config.io.accessLog', value, 'true, false or an object');
  return readOptions<AccessLogConfig>('config.io.accessLog', given, { packets: booleanAt }, DEFAULTS);
}
