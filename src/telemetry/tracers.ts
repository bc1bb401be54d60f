/** Opens tracing: `config.io.tracing`. */
import type { Namespace } from 'socket.io';
import type { BroadcastTracer } from '../backplane/wrappers/trace-broadcasts';
import type { TracingSettings } from '../config/tracing';
import { SetupError } from '../errors';
import type { Tracer } from '../path/tracer';
import { openTelemetryOf, PACKAGE } from './opentelemetry';
import { PathTracer } from './path-tracer';
import { Tracing } from './tracing';

interface Tracers {
  readonly broadcasts: BroadcastTracer;
  readonly path: Tracer;
}

/**
 * Undefined if tracing is off.
 * @param templateOf the name of a namespace, or that which it shares with others of its pattern. Undefined if that is not known.
 * @throws SetupError if the app has not installed OpenTelemetry's API
 */
export function tracersOf(
  settings: TracingSettings | undefined,
  baseDir: string,
  templateOf: (nsp: Namespace) => string | undefined,
): Tracers | undefined {
  if (!settings) return undefined;
  const api = openTelemetryOf(baseDir);
  if (!api) throw new SetupError('IO_TELEMETRY_MISSING', `config.io.tracing needs ${PACKAGE}: run \`npm i ${PACKAGE}\``);
  const tracing = new Tracing(api, settings.trust, templateOf);
  return { broadcasts: tracing, path: new PathTracer(tracing) };
}
