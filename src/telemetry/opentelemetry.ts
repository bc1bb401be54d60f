/** OpenTelemetry's API, and the form in which a trace's context travels: https://www.w3.org/TR/trace-context/#traceparent-header */
import type * as api from '@opentelemetry/api';

export type OpenTelemetry = typeof api;

/** Taken from the app, since an API that is newer than that of the app's SDK would not find the SDK. */
export const API = '@opentelemetry/api';

/** Of version 00, and the first fields of later ones. All zeros are no id. */
const TRACEPARENT = /^(?!ff)[\da-f]{2}-(?!0{32})([\da-f]{32})-(?!0{16})([\da-f]{16})-([\da-f]{2})(?=$|(?<!^00.{53})-)/;

/** The longest one that is read. */
const MAX_LENGTH = 200;

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
