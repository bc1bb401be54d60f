/** Opens tracing: `config.io.tracing`. */
import type { Namespace } from 'socket.io';
import { appPackage } from '../app-package';
import type { BroadcastTracer } from '../backplane/wrappers/trace-broadcasts';
import type { TracingSettings } from '../config/tracing';
import type { Tracer } from '../path/tracer';
import { API, type OpenTelemetry } from './opentelemetry';
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
  const { exported } = appPackage<OpenTelemetry>(baseDir, API, { option: 'config.io.tracing', code: 'IO_TELEMETRY_MISSING' });
  const tracing = new Tracing(exported, settings.trust, templateOf);
  return { broadcasts: tracing, path: new PathTracer(tracing) };
}
