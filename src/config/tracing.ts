/** The options of tracing, and their reader. */
import { booleanAt, isSet, objectAt, readOptions } from './readers';

/** `config.io.tracing` */
export interface TracingConfig {
  /**
   * Whether a client's `traceparent` becomes the parent of its spans, in place of a link. Such a client decides which traces its spans belong to, and
   * with most samplers whether they are recorded. Default: `false`. Since 5.
   */
  trust?: boolean;
}

/** Undefined if it is off. */
export type TracingSettings = Required<TracingConfig> | undefined;

const DEFAULTS = { trust: false } satisfies TracingSettings;

export function readTracing(value: unknown): TracingSettings {
  if (!isSet(value) || value === false) return undefined;
  if (value === true) return DEFAULTS;
  const given = objectAt('config.io.tracing', value, 'true, false or an object');
  return readOptions<TracingConfig>('config.io.tracing', given, { trust: booleanAt }, DEFAULTS);
}
