/** The options of the access log, and their reader. */
import { booleanAt, readSwitch } from './readers';

/** `config.io.accessLog` */
export interface AccessLogConfig {
  /** Whether each packet of a client has a line, too: its event, how long it took, and `OK` or the code of its error. Default: `false`. Since 5. */
  packets?: boolean;
}

export type AccessLogSettings = Required<AccessLogConfig>;

/** Undefined if it is off. */
export function readAccessLog(value: unknown): AccessLogSettings | undefined {
  return readSwitch<AccessLogConfig>('config.io.accessLog', value, { packets: booleanAt }, { packets: false });
}
