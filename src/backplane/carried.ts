/** Values that JSON, MessagePack and BSON carry unchanged to other servers. Any other packet is sent in its encoded form as well. */

/** MessagePack in the official adapters fails at 94 to 96 levels, including those that they put around a packet. */
const MAX_LEVELS = 90;

/** MessagePack in the adapter `redis` limits integers to 64 bits. */
const MAX_INTEGER = 2 ** 64;
const MIN_INTEGER = -(2 ** 63);

/** MessagePack loses this key, or the whole message. */
const PROTO = '__proto__';
/** Marks an object as a placeholder of bytes. */
const PLACEHOLDER = '_placeholder';
/** MongoDB treats an object with this key as one of its own types, and throws if it is none. */
const BSON_TYPE = '_bsontype';
/** MongoDB rejects a document with NUL in a key. */
const NUL = '\0';

/** Stands for a value that could change on the way. */
export const NOT_CARRIED = Symbol('not carried');

/** Whether the JSON of a packet proves that none of its texts can change. This is faster than checking each text. */
export function isTextCarried(json: string | undefined): boolean {
  return json !== undefined && !json.includes('\\u') && !json.includes(PROTO) && !json.includes(BSON_TYPE); // JSON escapes lone surrogates and NUL
}

/** Whether a value consists only of what all carry, and a parser hands over as it has got it. */
export function isCarried(value: unknown, isChecked: boolean, levels = MAX_LEVELS): boolean {
  return deconstruct(value, isChecked, undefined, levels) !== NOT_CARRIED;
}

/**
 * What Socket.IO's own encoder makes of a value that all carry: copies with placeholders of what contains bytes, and the value itself if it
 * contains none. `NOT_CARRIED` for any other value.
 * @param isChecked whether all texts in it are known to be carried
 * @param attachments gets the bytes. Without it, Buffers are left where they are, and other bytes are not carried: only Socket.IO's own parser is
 *   known to treat these like Buffers
 */
export function deconstruct(value: unknown, isChecked: boolean, attachments?: Buffer[], levels = MAX_LEVELS): unknown {
  switch (typeof value) {
    case 'string':
      return isChecked || value.isWellFormed() ? value : NOT_CARRIED;
    case 'boolean':
      return value;
    case 'number':
      return value >= MIN_INTEGER && value < MAX_INTEGER && !Object.is(value, -0) ? value : NOT_CARRIED;
    case 'object': {
      if (value === null) return null;
      const prototype: unknown = Object.getPrototypeOf(value); // cheaper than instanceof, and enough for most values
      const isList = Array.isArray(value);
      if (!isList && prototype !== Object.prototype && prototype !== null) return deconstructBytes(value, attachments);
      if (levels === 0 || typeof (value as { toJSON?: unknown }).toJSON === 'function') return NOT_CARRIED; // whatever is there
      return isList
        ? deconstructList(value, isChecked, attachments, levels - 1)
        : deconstructObject(value as Record<string, unknown>, isChecked, attachments, levels - 1);
    }
    case 'bigint':
    case 'function':
    case 'symbol':
    case 'undefined':
  }
  return NOT_CARRIED;
}

function deconstructBytes(value: object, attachments: Buffer[] | undefined): unknown {
  if (!attachments) return value instanceof Buffer ? value : NOT_CARRIED;
  if (!(value instanceof Uint8Array)) return NOT_CARRIED;
  const bytes = Buffer.isBuffer(value) ? value : Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  return { [PLACEHOLDER]: true, num: attachments.push(bytes) - 1 };
}

/** A loop, since the methods of lists skip holes, and these are not carried. */
function deconstructList(values: readonly unknown[], isChecked: boolean, attachments: Buffer[] | undefined, levels: number): unknown {
  let copy: unknown[] | undefined;
  for (let index = 0; index < values.length; index++) {
    const item = deconstruct(values[index], isChecked, attachments, levels);
    if (item === NOT_CARRIED) return NOT_CARRIED;
    if (item !== values[index]) (copy ??= [...values])[index] = item;
  }
  return copy ?? values;
}

function deconstructObject(value: Record<string, unknown>, isChecked: boolean, attachments: Buffer[] | undefined, levels: number): unknown {
  let copy: Record<string, unknown> | undefined;
  for (const key in value) {
    if (key === PROTO) return NOT_CARRIED; // in packets with bytes, the encoder omits it
    if (attachments && key === PLACEHOLDER) return NOT_CARRIED; // clients would take it for bytes
    if (!isChecked && (key === BSON_TYPE || key.includes(NUL) || !key.isWellFormed())) return NOT_CARRIED;
    const item = deconstruct(value[key], isChecked, attachments, levels);
    if (item === NOT_CARRIED) return NOT_CARRIED;
    if (item !== value[key]) (copy ??= { ...value })[key] = item;
  }
  return copy ?? value;
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
