/** The files of `app/io/controller` and `app/io/middleware` as Egg has loaded them: a tree by folders, and what it is made into. */

/** The names under which Egg's custom loader puts the files on the app, until `LoadedFiles` takes them. */
export const CONTROLLER_FILES = 'ioControllerFiles';
export const MIDDLEWARE_FILES = 'ioMiddlewareFiles';

/** One file as Egg loaded it. Its enumerable properties are those that Egg adds: the files of a folder of the same name. */
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
  /** As `controller.chat.room`. */
  get pathName(): string {
    return this.#pathName;
  }
}

/** The `initializer` of Egg's custom loader: keeps a file as it is, for later. */
export function keepFile(exports: unknown, file: { path: string; pathName: string }): LoadedFile {
  return new LoadedFile(exports, file.path, file.pathName);
}

/** Egg loads `chat.js` and the folder `chat` into one node: what the file is, with the folder's files as properties. */
export function mapFiles(node: object, load: (file: LoadedFile) => object, toFolder = (_path: string): object => ({}), path = ''): object {
  const mapped = node instanceof LoadedFile ? load(node) : toFolder(path);
  for (const [name, child] of Object.entries(node))
    Object.defineProperty(mapped, name, {
      value: mapFiles(child as object, load, toFolder, `${path}.${name}`),
      enumerable: true,
      configurable: true,
      writable: true,
    }); // Egg's loader makes nothing but nodes
  return mapped;
}

/** The member of a tree by a name with dots. */
export function findIn(tree: object, name: string): unknown {
  return name
    .split('.')
    .reduce<unknown>((tree, key) => (isTree(tree) && Object.hasOwn(tree, key) ? Reflect.get(tree, key) : undefined), tree);
}

/** The names of all functions in a tree, as `auth` and `admin.auth`. */
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
