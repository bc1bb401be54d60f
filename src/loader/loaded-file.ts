/** The tree of files in `app/io/controller` and `app/io/middleware` that Egg has loaded, and functions on such trees. */

/** The properties of the app in which Egg's custom loader stores the files, until `LoadedFiles` takes them. */
export const CONTROLLER_FILES = 'ioControllerFiles';
export const MIDDLEWARE_FILES = 'ioMiddlewareFiles';

/** A file that Egg has loaded. Egg adds the files of a folder with the same name as enumerable properties. */
export class LoadedFile {
  readonly #exports: unknown;
  readonly #path: string;
  readonly #pathName: string;

  constructor(exports: unknown, path: string, pathName: string) {
    this.#exports = exports;
    this.#path = path;
    this.#pathName = pathName;
  }

  get exports(): unknown {
    return this.#exports;
  }
  get path(): string {
    return this.#path;
  }
  /** For example `controller.chat.room`. */
  get pathName(): string {
    return this.#pathName;
  }
}

/** The `initializer` of Egg's custom loader: keeps the exports for later. */
export function keepFile(exports: unknown, file: { path: string; pathName: string }): LoadedFile {
  return new LoadedFile(exports, file.path, file.pathName);
}

/** Converts a tree. Egg loads `chat.js` and the folder `chat` into one node: the file, with the folder's files as properties. */
export function mapFiles(node: object, load: (file: LoadedFile) => object, toFolder = (_path: string): object => ({}), path = ''): object {
  const mapped = node instanceof LoadedFile ? load(node) : toFolder(path);
  for (const [name, child] of Object.entries(node))
    Object.defineProperty(mapped, name, {
      value: mapFiles(child as object, load, toFolder, `${path}.${name}`),
      enumerable: true,
      configurable: true,
      writable: true,
    }); // all children are nodes
  return mapped;
}

/** Finds a node by a name with dots. */
export function findIn(tree: object, name: string): unknown {
  return name
    .split('.')
    .reduce<unknown>((tree, key) => (isTree(tree) && Object.hasOwn(tree, key) ? Reflect.get(tree, key) : undefined), tree);
}

/** The names of all functions in a tree, such as `auth` and `admin.auth`. */
export function namesIn(tree: object, prefix = ''): string[] {
  return Object.entries(tree).flatMap(([name, node]) => [
    ...(isFunction(node) ? [prefix + name] : []),
    ...namesIn(node as object, `${prefix}${name}.`),
  ]);
}

export function isTree(value: unknown): value is object {
  return (typeof value === 'object' && value !== null) || typeof value === 'function';
}

export function isFunction(value: unknown): value is (...args: unknown[]) => unknown {
  return typeof value === 'function';
}
