/**
 * Tables of Socket.IO that were objects in Socket.IO 2 and are Maps and Sets now: `nsp.sockets`, `adapter.rooms`, `adapter.sids`, `socket.rooms`.
 * The functions here make a Map or Set that old code can also read by key, like an object.
 */

interface KeyedOptions<Value> {
  /** The value that Socket.IO 2 had for an existing key. */
  read(key: string, value: Value): unknown;
  /** Called when an existing key has been read, or the keys have been listed, such as by `Object.keys()` or `for ... in`. */
  onRead(how: 'key' | 'keys'): void;
}

/** Makes a keyed Map. For long-lived tables with many calls: methods are own properties, and only other names go through a proxy. */
export function keyedMap<Value>(map: Map<string, Value>, options: KeyedOptions<Value>): Map<string, Value> {
  const type: object = Map.prototype;
  // bound, since methods of Map do not accept a proxy as `this`
  for (const name of Reflect.ownKeys(type)) {
    if (name === 'constructor') continue;
    const { value, get } = Reflect.getOwnPropertyDescriptor(type, name) as { value?: () => unknown; get?: () => unknown };
    if (get) Object.defineProperty(map, name, { configurable: true, get: get.bind(map) });
    else if (typeof value === 'function') Object.defineProperty(map, name, { configurable: true, writable: true, value: value.bind(map) });
  }
  const handler = handlerOf(map, key => options.read(key, map.get(keyIn(map, key)) as Value), options); // called for existing keys only
  const { get, ...others } = handler;
  Object.setPrototypeOf(map, new Proxy(Object.create(type) as typeof map, { get }));
  return new Proxy(map, others);
}

/** Makes a keyed Set. For short-lived tables with few calls: cheap to create. */
export function keyedSet(set: Set<string>, options: KeyedOptions<void>): Set<string> {
  return new Proxy(
    set,
    handlerOf(set, key => options.read(key), options),
  );
}

function handlerOf<Table extends Map<string, unknown> | Set<string>>(
  table: Table,
  read: (key: string) => unknown,
  { onRead }: Pick<KeyedOptions<never>, 'onRead'>,
): ProxyHandler<Table> & Required<Pick<ProxyHandler<Table>, 'get'>> {
  const has = (key: string | symbol): key is string => typeof key === 'string' && table.has(keyIn(table, key));
  return {
    get(target, key) {
      const own: unknown = Reflect.get(target, key, table);
      if (own !== undefined || !has(key)) return typeof own === 'function' ? (own as () => unknown).bind(table) : own;
      onRead('key');
      return read(key);
    },
    has: (target, key) => has(key) || Reflect.has(target, key),
    ownKeys() {
      onRead('keys');
      return [...new Set([...table.keys()].map(String))]; // the name of a room may be a number
    },
    getOwnPropertyDescriptor: (target, key) =>
      has(key) ? { value: read(key), enumerable: true, configurable: true } : Reflect.getOwnPropertyDescriptor(target, key),
  };
}

/** Finds the key in the table: in property access, a number is always a string. */
function keyIn(table: Map<string, unknown> | Set<string>, key: string): string {
  if (table.has(key) || String(Number(key)) !== key) return key;
  return Number(key) as unknown as string; // apps may use numbers as rooms, despite the types
}
