/** OpenTelemetry's API, and the form in which a trace's context travels: https://www.w3.org/TR/trace-context/#traceparent-header */
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type * as api from '@opentelemetry/api';

export type OpenTelemetry = typeof api;

export const PACKAGE = '@opentelemetry/api';

/** Of version 00, and the first fields of later ones. All zeros are no id. */
const TRACEPARENT = /^(?!ff)[\da-f]{2}-(?!0{32})([\da-f]{32})-(?!0{16})([\da-f]{16})-([\da-f]{2})(?=$|(?<!^00.{53})-)/;

/** The longest one that is read. */
const MAX_LENGTH = 200;

/** The API of the app, since one that is newer than that of the app's SDK would not find the SDK. Undefined if it is not installed. */
export function openTelemetryOf(baseDir: string): OpenTelemetry | undefined {
  const require = createRequire(join(baseDir, 'package.json'));
  let path: string;
  try {
    path = require.resolve(PACKAGE);
  } catch {
    return undefined;
  }
  return require(path) as OpenTelemetry; // of the version that package.json names as a peer, unless only another package needs it
}

/** Undefined unless it is a valid `traceparent`. @param value of any type: it may come from a client */
export function parseTraceparent(value: unknown): api.SpanContext | undefined {
  if (typeof value !== 'string' || value.length > MAX_LENGTH) return undefined;
  const [, traceId, spanId, flags] = TRACEPARENT.exec(value) ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined) return undefined;
  return { traceId, spanId, traceFlags: Number.parseInt(flags, 16) & 1, isRemote: true };
}

export function formatTraceparent({ traceId, spanId, traceFlags }: api.SpanContext): string {
  return `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`;
}
