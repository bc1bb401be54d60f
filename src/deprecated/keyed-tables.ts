/**
 * The tables of Socket.IO that were objects in Socket.IO 2 and are Maps and Sets now: `nsp.sockets`, `adapter.rooms`, `adapter.sids`, `socket.rooms`.
 * They stay Maps and Sets; and old code that reads them by key, or lists their keys, goes on to find what it looks for.
 */

interface KeyedOptions<Value> {
  /** What old code found under a key that the table has. */
  read(key: string, value: Value): unknown;
  /** A key has been read, and was there; or the keys have been listed, as by `Object.keys()` or `for ... in`. */
  onRead(how: 'key' | 'keys'): void;
}

/** A Map that lives long and is asked often: its methods are found without a detour, what is not among them is a key. */
export function keyedMap<Value>(map: Map<string, Value>, options: KeyedOptions<Value>): Map<string, Value> {
  const type: object = Map.prototype;
  // a method works on a Map alone, and not on what stands in front of one: here it belongs to this one
  for (const name of Reflect.ownKeys(type)) {
    if (name === 'constructor') continue;
    const { value, get } = Reflect.getOwnPropertyDescriptor(type, name) as { value?: () => unknown; get?: () => unknown };
    if (get) Object.defineProperty(map, name, { configurable: true, get: get.bind(map) });
    else if (typeof value === 'function') Object.defineProperty(map, name, { configurable: true, writable: true, value: value.bind(map) });
  }
  const handler = handlerOf(map, key => options.read(key, map.get(keyIn(map, key)) as Value), options); // only asked for keys that are there
  const { get, ...others } = handler;
  Object.setPrototypeOf(map, new Proxy(Object.create(type) as typeof map, { get }));
  return new Proxy(map, others);
}

/** A Set that is looked at now and then: this costs little to make. */
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
      return [...new Set([...table.keys()].map(String))]; // a key may be a number, where a room has one for its name
    },
    getOwnPropertyDescriptor: (target, key) =>
      has(key) ? { value: read(key), enumerable: true, configurable: true } : Reflect.getOwnPropertyDescriptor(target, key),
  };
}

/** Objects know a number as a key only as a string. */
function keyIn(table: Map<string, unknown> | Set<string>, key: string): string {
  if (table.has(key) || String(Number(key)) !== key) return key;
  return Number(key) as unknown as string; // whatever their types say, tables take what the app gives
}
