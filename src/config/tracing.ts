/** The options of tracing, and their reader. */
import { booleanAt, readSwitch } from './readers';

/** `config.io.tracing` */
export interface TracingConfig {
  /**
   * Whether a client's `traceparent` becomes the parent of its spans, in place of a link. Such a client decides which traces its spans belong to, and
   * with most samplers whether they are recorded. Default: `false`. Since 5.
   */
  trust?: boolean;
}

export type TracingSettings = Required<TracingConfig>;

/** Undefined if it is off. */
export function readTracing(value: unknown): TracingSettings | undefined {
  return readSwitch<TracingConfig>('config.io.tracing', value, { trust: booleanAt }, { trust: false });
}
