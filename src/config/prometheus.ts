/** The options of the page for Prometheus, and their reader. */
import { invalid, readSwitch, wholeNumber } from './readers';

/** `config.io.prometheus` */
export interface PrometheusConfig {
  /** The port, of the agent. Default: `9464`, as OpenTelemetry's exporter for Prometheus. Since 5. */
  port?: number;
  /** The address at which the agent listens. The metrics are for everybody who reaches it. Default: `'127.0.0.1'`. Since 5. */
  host?: string;
}

export type PrometheusSettings = Required<PrometheusConfig>;

const DEFAULTS: PrometheusSettings = { port: 9464, host: '127.0.0.1' };

/** Undefined if it is off. */
export function readPrometheus(value: unknown): PrometheusSettings | undefined {
  return readSwitch<PrometheusConfig>('config.io.prometheus', value, { port: wholeNumber(1, 65_535), host: hostAt }, DEFAULTS);
}

/** Not an empty one, which for Node is every address of the machine. */
function hostAt(place: string, value: unknown): string {
  if (typeof value !== 'string' || value === '') invalid(place, "an address, such as '127.0.0.1'", value);
  return value;
}
