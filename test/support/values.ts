/** What an app may emit: one value of each kind, each in four shapes. Those that are emitted are made anew, since encoders may change them. */
import { Blob, File } from 'node:buffer';
import { inspect, isDeepStrictEqual } from 'node:util';

/** By the name of the kind, what makes a value of it. */
const KINDS: Record<string, () => unknown> = {
  // numbers
  zero: () => 0,
  'minus zero': () => -0,
  'a small integer': () => 127,
  'a negative integer': () => -129,
  'a fraction': () => -1.1,
  'an integer of 32 bits': () => 2 ** 32 - 1,
  'the largest safe integer': () => Number.MAX_SAFE_INTEGER,
  '2^53 + 2': () => 2 ** 53 + 2,
  '2^63': () => 2 ** 63,
  '-2^63': () => -(2 ** 63),
  '2^64': () => 2 ** 64,
  '-2^64': () => -(2 ** 64),
  '2^70': () => 2 ** 70,
  'a huge number': () => Number.MAX_VALUE,
  'a tiny number': () => Number.MIN_VALUE,
  NaN: () => Number.NaN,
  Infinity: () => Number.POSITIVE_INFINITY,
  '-Infinity': () => Number.NEGATIVE_INFINITY,
  // nothing, yes and no, and what has no form
  undefined: () => undefined,
  null: () => null,
  true: () => true,
  false: () => false,
  'a BigInt': () => 1n,
  'a symbol': () => Symbol('symbol'),
  'a function': () => () => 'called',
  'a class': () => class {},
  // strings
  'an empty string': () => '',
  'a string with NUL, quotes and a line break': () => 'a\u0000"\\\n',
  'a string of Chinese': () => '大家好',
  'an emoji': () => 'a😀b',
  'a line separator': () => '\u2028\u2029',
  'a lone high surrogate': () => 'a\ud800bc',
  'a lone low surrogate': () => '\udc00bc',
  'surrogates in the wrong order': () => '\udc00\ud800',
  'a long string': () => 'long 大 '.repeat(5000),
  'a long string with a lone surrogate': () => `${'x'.repeat(100)}\ud800y`,
  'a string that looks like a packet': () => '51-["x",{"_placeholder":true,"num":0}]',
  // arrays
  'an empty array': () => [],
  'an array with holes': () => Object.assign(Array(3), { 1: 'x' }),
  'an array of undefined': () => [undefined, 1, undefined],
  'an array of what has no form': () => [() => {}, Symbol('symbol'), Number.NaN],
  'arrays in arrays': () => [[[1], [[2]]], []],
  'an array with a property': () => Object.assign([1], { more: 2 }),
  'a long array': () => Array(1000).fill(1),
  '64 levels': () => nested(64),
  '100 levels': () => nested(100),
  // objects
  'an empty object': () => ({}),
  'an object of objects': () => ({ a: { b: { c: [1, { d: null }] } } }),
  'an undefined field': () => ({ a: undefined, b: 1 }),
  'a field with a function': () => ({ a: () => {}, b: 1 }),
  'a field with a symbol': () => ({ a: Symbol('symbol'), b: 1 }),
  'a symbol as the key': () => ({ [Symbol('key')]: 1, b: 1 }),
  'an own key __proto__': () => JSON.parse('{"__proto__":{"a":1},"b":2}') as unknown,
  'an own key __proto__ with a string': () => JSON.parse('{"__proto__":"x","b":2}') as unknown,
  'an own key constructor': () => ({ constructor: 1, prototype: 2, hasOwnProperty: 3, toString: 4 }),
  'keys that are empty, numbers, or Chinese': () => ({ '': 1, 2: 3, 键: 4 }),
  'NUL in the key': () => ({ 'a\u0000b': 1 }),
  'a lone surrogate as the key': () => ({ '\ud800': 1 }),
  'no prototype': () => Object.assign(Object.create(null) as object, { a: 1 }),
  'an instance of a class': () => new Person('a'),
  'a getter': () => ({
    get a() {
      return 1;
    },
  }),
  'a field that is not enumerable': () => Object.defineProperty({ b: 1 }, 'a', { value: 1 }),
  'an inherited field': () => Object.create({ a: 1 }) as unknown,
  'a frozen object': () => Object.freeze({ a: Object.freeze([1]) }),
  'a toJSON()': () => ({ a: 1, toJSON: () => ({ json: [2] }) }),
  'a toJSON() of a class': () => new Money(3),
  'a toJSON() that returns undefined': () => ({ toJSON: () => undefined }),
  'a toJSON() that returns bytes': () => ({ toJSON: () => ({ bytes: Buffer.from('json') }) }),
  'a field toJSON that is none': () => ({ toJSON: 1 }),
  'a long object': () => Object.fromEntries(Array.from({ length: 300 }, (_, index) => [`key ${index}`, index])),
  // of the language and of Node
  'a date': () => new Date(1.7e12),
  'an invalid date': () => new Date(Number.NaN),
  'a regular expression': () => /x/g,
  'a Map': () => new Map([['a', 1]]),
  'a Set': () => new Set([1]),
  'an error': () => Object.assign(new Error('bad'), { code: 'E' }),
  'a URL': () => new URL('http://127.0.0.1/path?q=1'),
  URLSearchParams: () => new URLSearchParams('a=1'),
  'a boxed number': () => new Number(7),
  'a boxed string': () => new String('boxed'),
  'a boxed boolean': () => new Boolean(false),
  'a promise': () => Promise.resolve(1),
  // bytes
  'a Buffer': () => Buffer.from([0, 1, 127, 128, 255]),
  'an empty Buffer': () => Buffer.alloc(0),
  'a large Buffer': () => Buffer.alloc(100_000, 'large'),
  'a part of a larger Buffer': () => Buffer.from('0123456789').subarray(3, 6),
  'a Uint8Array': () => new Uint8Array([1, 2, 3]),
  'a part of a larger Uint8Array': () => new Uint8Array([1, 2, 3, 4, 5]).subarray(1, 3),
  'a Uint8ClampedArray': () => new Uint8ClampedArray([1, 255]),
  'an Int8Array': () => new Int8Array([-1, 1]),
  'a Uint16Array': () => new Uint16Array([1, 0x1234]),
  'a part of a larger Int16Array': () => new Int16Array([1, -2, 3]).subarray(1),
  'a Uint32Array': () => new Uint32Array([0xdeadbeef]),
  'an Int32Array': () => new Int32Array([-5]),
  'a Float32Array': () => new Float32Array([1.5]),
  'a Float64Array': () => new Float64Array([Math.PI]),
  'a BigInt64Array': () => new BigInt64Array([-1n]),
  'a BigUint64Array': () => new BigUint64Array([2n ** 63n]),
  'a DataView': () => new DataView(new Uint8Array([1, 2, 3, 4]).buffer, 1, 2),
  'an ArrayBuffer': () => new Uint8Array([1, 2, 3]).buffer,
  'a SharedArrayBuffer': () => new SharedArrayBuffer(2),
  // what those who carry it have words of their own for
  'a Buffer as JSON has it': () => ({ type: 'Buffer', data: [1, 2] }),
  'almost a placeholder': () => ({ _placeholder: false, num: 0 }),
  'a placeholder': () => ({ _placeholder: true, num: 0 }),
  'a placeholder of nothing': () => ({ _placeholder: true, num: 9 }),
  'keys of adapters': () => ({
    uid: 'x',
    nsp: '/',
    type: 3,
    data: { packet: [], opts: {}, requestId: '1' },
    attachmentId: '1',
    encoded: ['2'],
  }),
  'keys of packets': () => ({ type: 2, id: 1, nsp: '/', data: ['x'], attachments: 1, frames: [''], offset: '0-1' }),
  // too much
  'a circle': () => circle(),
  'eleven Buffers': () => Array.from({ length: 11 }, (_, index) => Buffer.from([index])),
  'a Blob': () => new Blob(['blob']),
  'a File': () => new File(['file'], 'name'),
};

const SHAPES: Record<string, (value: unknown) => unknown> = {
  alone: value => value,
  'in an object': value => ({ before: 1, value }),
  'in an array': value => ['before', value],
  'beside a Buffer': value => [Buffer.from('beside'), { value }],
};

/** A value of one kind, in one shape. */
export interface Cell {
  readonly name: string;
  readonly make: () => unknown;
}

export const CELLS: readonly Cell[] = Object.entries(KINDS).flatMap(([kind, make]) =>
  Object.entries(SHAPES).map(([shape, put]) => ({ name: `${kind}, ${shape}`, make: () => put(make()) })),
);

/**
 * What a plain server of Socket.IO sends, though official clients do not take it, or close: with the parser of Socket.IO. Here it throws.
 * Of others it throws where it is the encoder that throws.
 */
export const REFUSED: ReadonlySet<string> = new Set([
  ...['a placeholder', 'a placeholder of nothing'].map(kind => `${kind}, beside a Buffer`),
  ...['eleven Buffers', 'a Blob', 'a File'].flatMap(kind => Object.keys(SHAPES).map(shape => `${kind}, ${shape}`)),
]);

/** In place of what has arrived: it was refused where it was sent; or it has not arrived. */
export const THROWN = Symbol('thrown');
export const LOST = Symbol('lost');

/** One line for each cell that is not as it is to be. */
export function differences(arrived: readonly unknown[], expected: readonly unknown[]): string[] {
  return CELLS.flatMap(({ name }, index) =>
    isSame(arrived[index], expected[index]) ? [] : [`${name}: ${brief(arrived[index])} rather than ${brief(expected[index])}`],
  );
}

class Person {
  constructor(readonly name: string) {}

  get upper(): string {
    return this.name.toUpperCase();
  }
}

class Money {
  constructor(readonly amount: number) {}

  toJSON(): string {
    return `${this.amount} yuan`;
  }
}

function nested(levels: number): unknown {
  return levels === 1 ? [] : [nested(levels - 1)];
}

function circle(): unknown {
  const round: Record<string, unknown> = {};
  round['round'] = round;
  return round;
}

/** As `isDeepStrictEqual`, but for prototypes that have been made along with the values: MessagePack makes one of an own `__proto__`. */
function isSame(one: unknown, other: unknown): boolean {
  if (!isTree(one) || !isTree(other)) return isDeepStrictEqual(one, other);
  const keys = Object.keys(one);
  const [prototype, otherPrototype] = [one, other].map(tree => Object.getPrototypeOf(tree) as unknown);
  return (
    (prototype === otherPrototype || (isMade(prototype) && isMade(otherPrototype) && isSame(prototype, otherPrototype))) &&
    isDeepStrictEqual(keys, Object.keys(other)) &&
    Array.isArray(one) === Array.isArray(other) &&
    keys.every(key => isSame(one[key], other[key]))
  );
}

/** Whether it is an array or a plain object, or one whose prototype is. */
function isTree(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype = Object.getPrototypeOf(value) as object | null;
  return Array.isArray(value) || prototype === null || prototype === Object.prototype || isTree(prototype);
}

/** Whether it is no prototype of the language. */
function isMade(prototype: unknown): boolean {
  return prototype !== Object.prototype && prototype !== Array.prototype && prototype !== null;
}

function brief(value: unknown): string {
  return inspect(value, { depth: 3, maxArrayLength: 12, maxStringLength: 60, breakLength: Number.POSITIVE_INFINITY }).slice(0, 200);
}
