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

/** Has, on a keyed Map, the Map itself: methods that are called on its proxy find it there. */
const SELF = Symbol('self');

type Method = (this: unknown, ...args: unknown[]) => unknown;
type KeyedMap<Value> = Map<string, Value> & { readonly [SELF]: Map<string, Value> };

/**
 * Returns a function that makes keyed Maps. For long-lived tables with many calls: only other names than those of methods go through a proxy with a
 * function. All tables of one kind share the methods, since each namespace has three tables, and clients can ask for many namespaces.
 */
export function keyedMaps<Value>({ read, onRead }: KeyedOptions<Value>): (map: Map<string, Value>) => Map<string, Value> {
  const handlerFor = (map: Map<string, Value>): ReturnType<typeof handlerOf> =>
    handlerOf(map, key => read(key, map.get(keyIn(map, key)) as Value), { onRead }); // called for existing keys only
  const names = new Proxy(Object.create(Map.prototype) as KeyedMap<Value>, {
    get: (type, key, receiver: KeyedMap<Value>) => handlerFor(receiver[SELF]).get(type, key, receiver) as unknown,
  });
  const prototype = Object.create(names) as object;
  addMethods(prototype);
  const handler: ProxyHandler<Map<string, Value>> = {
    has: (map, key) => handlerFor(map).has(map, key),
    ownKeys: map => handlerFor(map).ownKeys(map),
    getOwnPropertyDescriptor: (map, key) => handlerFor(map).getOwnPropertyDescriptor(map, key),
  };
  return map => {
    Object.setPrototypeOf(map, prototype);
    // configurable: otherwise, ownKeys() would have to list them
    Object.defineProperties(map, {
      [SELF]: { configurable: true, value: map },
      // of its own, since they are called for each client of a broadcast: a look at SELF would make them half as fast
      get: { configurable: true, writable: true, value: Map.prototype.get.bind(map) },
      has: { configurable: true, writable: true, value: Map.prototype.has.bind(map) },
    });
    return new Proxy(map, handler);
  };
}

/** Adds the methods of Map, which do not accept a proxy as `this`. */
function addMethods(prototype: object): void {
  for (const name of Reflect.ownKeys(Map.prototype)) {
    if (name === 'constructor') continue;
    const { value, get } = Reflect.getOwnPropertyDescriptor(Map.prototype, name) as { value?: Method | string; get?: Method };
    if (get) Object.defineProperty(prototype, name, { configurable: true, get: onSelf(get) });
    else if (typeof value === 'function')
      Object.defineProperty(prototype, name, { configurable: true, writable: true, value: onSelf(value) });
  }
}

function onSelf(method: Method): Method {
  return function (this: unknown, ...args) {
    return method.apply((this as KeyedMap<unknown>)[SELF], args); // the prototype is only that of keyed Maps
  };
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
): ProxyHandler<Table> & Required<Pick<ProxyHandler<Table>, 'get' | 'has' | 'ownKeys' | 'getOwnPropertyDescriptor'>> {
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
