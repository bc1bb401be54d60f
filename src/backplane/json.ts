/** Converts values to those of JSON, except bytes. */
import { types } from 'node:util';

/**
 * A copy of a value that contains only values of JSON, and the replacements of bytes.
 * @param ofBytes returns the replacement of bytes
 * @param levels the maximum number of nested levels
 * @throws TypeError for a BigInt, RangeError for a value that is nested deeper, or circular
 */
export function jsonOf(value: unknown, ofBytes: (bytes: Uint8Array) => unknown, levels = Number.POSITIVE_INFINITY, key = ''): unknown {
  const json = bytesOf(value) ? value : toJSON(value, key);
  switch (typeof json) {
    case 'bigint':
      throw new TypeError('JSON does not support BigInt');
    case 'number':
      return Number.isFinite(json) ? json : null;
    case 'function':
    case 'symbol':
      return undefined;
    case 'object': {
      if (json === null) return null;
      const bytes = bytesOf(json);
      if (bytes) return ofBytes(bytes);
      if (types.isBoxedPrimitive(json)) return json.valueOf();
      if (levels <= 0) throw new RangeError('it is nested too deep, or in a circle');
      if (Array.isArray(json)) return json.map((item, index) => jsonOf(item, ofBytes, levels - 1, String(index)) ?? null);
      const entries = Object.entries(json).map(([key, item]) => [key, jsonOf(item, ofBytes, levels - 1, key)] as const);
      return Object.fromEntries(entries.filter(([, item]) => item !== undefined));
    }
    case 'boolean':
    case 'string':
    case 'undefined':
  }
  return json;
}

function toJSON(value: unknown, key: string): unknown {
  const { toJSON } = (value ?? {}) as { toJSON?: unknown }; // any value
  return typeof toJSON === 'function' ? (Reflect.apply(toJSON, value, [key]) as unknown) : value;
}

/** The bytes of a binary value, as Socket.IO defines it. Undefined for other values. */
export function bytesOf(value: unknown): Uint8Array | undefined {
  if (value instanceof Uint8Array) return value;
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  return value instanceof ArrayBuffer ? new Uint8Array(value) : undefined;
}
