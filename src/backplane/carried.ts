/** Values that JSON, MessagePack and BSON carry unchanged to other servers. Any other packet is sent in its encoded form as well. */

/** MessagePack in the official adapters fails at 94 to 96 levels, including those that they put around a packet. */
const MAX_LEVELS = 90;

/** MessagePack in the adapter `redis` limits integers to 64 bits. */
const MAX_INTEGER = 2 ** 64;
const MIN_INTEGER = -(2 ** 63);

/** MessagePack loses this key, or the whole message. */
const PROTO = '__proto__';
/** MongoDB treats an object with this key as one of its own types, and throws if it is none. */
const BSON_TYPE = '_bsontype';
/** MongoDB rejects a document with NUL in a key. */
const NUL = '\0';

/** Whether the JSON of a packet proves that none of its texts can change. This is faster than checking each text. */
export function isTextCarried(json: string | undefined): boolean {
  return json !== undefined && !json.includes('\\u') && !json.includes(PROTO) && !json.includes(BSON_TYPE); // JSON escapes lone surrogates and NUL
}

/**
 * Whether a value is nothing but what all carry, and a parser hands over as it has got it.
 * @param isChecked whether all texts in it are known to be carried
 * @param buffers gets the Buffers in it, which are carried
 */
export function isCarried(value: unknown, isChecked: boolean, levels = MAX_LEVELS, buffers?: Buffer[]): boolean {
  switch (typeof value) {
    case 'string':
      return isChecked || value.isWellFormed();
    case 'boolean':
      return true;
    case 'number':
      return value >= MIN_INTEGER && value < MAX_INTEGER && !Object.is(value, -0);
    case 'object': {
      if (value === null) return true;
      const prototype: unknown = Object.getPrototypeOf(value); // cheaper than instanceof, and enough for most values
      const isList = Array.isArray(value);
      if (!isList && prototype !== Object.prototype && prototype !== null) {
        if (!(value instanceof Buffer)) return false;
        buffers?.push(value);
        return true;
      }
      if (levels === 0 || typeof (value as { toJSON?: unknown }).toJSON === 'function') return false; // whatever is there
      if (isList) return areCarried(value, isChecked, levels - 1, buffers);
      for (const key in value) {
        if (key === PROTO) return false; // in packets with bytes, the encoder omits it
        if (!isChecked && (key === BSON_TYPE || key.includes(NUL) || !key.isWellFormed())) return false;
        if (!isCarried((value as Record<string, unknown>)[key], isChecked, levels - 1, buffers)) return false; // a key of it
      }
      return true;
    }
    case 'bigint':
    case 'function':
    case 'symbol':
    case 'undefined':
  }
  return false;
}

/** A loop, since `every()` skips holes, and these are not carried. */
function areCarried(values: readonly unknown[], isChecked: boolean, levels: number, buffers: Buffer[] | undefined): boolean {
  for (let index = 0; index < values.length; index++) if (!isCarried(values[index], isChecked, levels, buffers)) return false;
  return true;
}

/** Removes parts of decoded values with which other servers would lose the whole message. Returns whether they can read the rest. */
export function makeReadable(value: unknown, levels = MAX_LEVELS): boolean {
  if (typeof value !== 'object' || value === null)
    return typeof value !== 'bigint' && typeof value !== 'symbol' && typeof value !== 'function';
  if (ArrayBuffer.isView(value)) return true;
  if (levels === 0 || Object.keys(value).some(key => key === BSON_TYPE || key.includes(NUL))) return false;
  if (Object.hasOwn(value, PROTO)) Reflect.deleteProperty(value, PROTO);
  return Object.values(value).every(item => makeReadable(item, levels - 1));
}

/**
 * Restores keys `__proto__`, which some decoders, such as that of MessagePack, turn into prototypes. Encoded again, with an offset or for an
 * acknowledgement, the value is then the same.
 */
export function keepProtoKeys(value: unknown): void {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return;
  const prototype: unknown = Object.getPrototypeOf(value);
  if (typeof prototype === 'object' && prototype !== null && !Object.hasOwn(prototype, 'constructor')) {
    Object.setPrototypeOf(value, Object.prototype); // prototypes of classes have a constructor
    Object.defineProperty(value, PROTO, { value: prototype, configurable: true, enumerable: true, writable: true });
  }
  for (const item of Object.values(value)) keepProtoKeys(item);
}
