/** What the decorators of a class say, until tegg hands over the class. Mistakes are kept, too: the boot ends with them, not the import of a file. */
import { realpathSync } from 'node:fs';
import { sep } from 'node:path';
import type { Contract } from '../contract/contract';
import type { Class } from '../internals/tegg';
import type { SocketContext } from '../path/context';
import type { RouteOptions } from '../server/routes';

/** Takes the value of a parameter from the context. */
export type ReadParameter = (ctx: SocketContext) => unknown;

/** An event of a method. */
export interface DeclaredEvent {
  readonly event: string;
  readonly options: RouteOptions;
  /** Of `@IoEvent(contract, event)`. */
  readonly contract: Contract | undefined;
}

export class DeclaredMethod {
  readonly events: DeclaredEvent[] = [];
  /** Whether it runs when a client connects. */
  isConnect = false;
  /** Outermost first. */
  readonly middleware: unknown[] = [];
  /** Parameters that are injected, by position. */
  readonly parameters = new Map<number, ReadParameter>();
}

/** The decorators of one class, without those of the classes that it extends. */
export class Declaration {
  readonly Class: Class;
  /** The file with the class, for messages. */
  readonly file: string;
  /** The namespace. Undefined without `@IoController`. */
  source: string | Contract | undefined;
  isController = false;
  readonly middleware: unknown[] = [];
  readonly methods = new Map<string, DeclaredMethod>();
  /** Namespaces to inject, by the name of their object. */
  readonly injected = new Map<string, string | Contract>();
  readonly mistakes: string[] = [];

  constructor(Class: Class) {
    this.Class = Class;
    this.file = callingFile();
  }

  method(name: string): DeclaredMethod {
    const method = this.methods.get(name) ?? new DeclaredMethod();
    this.methods.set(name, method);
    return method;
  }
}

const declarations = new Map<Class, Declaration>();

/** The declaration of a class, created with its first decorator. */
export function declarationOf(Class: Class): Declaration {
  const declaration = declarations.get(Class) ?? new Declaration(Class);
  declarations.set(Class, declaration);
  return declaration;
}

/** A class with those that it extends, the base first. Only those with decorators. */
export function lineageOf(Class: Class): Declaration[] {
  const lineage: Declaration[] = [];
  for (let one: unknown = Class; typeof one === 'function'; one = Object.getPrototypeOf(one)) {
    const declaration = declarations.get(one as Class); // a key that is not there
    if (declaration) lineage.unshift(declaration);
  }
  return lineage;
}

/** The classes with decorators in the folder of an app. Tests may start several apps in a process. */
export function declarationsIn(folder: string): Declaration[] {
  const folders = [folder + sep, realpathSync(folder) + sep];
  return [...declarations.values()].filter(({ file }) => folders.some(one => file.startsWith(one)));
}

/** Files with code that compilers put between a decorator and its class. */
const HELPERS = /[/\\](tslib|reflect-metadata|@swc[/\\]helpers|@oxc-project[/\\]runtime)[/\\]|^node:/;

/** The folder of this file, as stacks name it: with source maps that of the sources. */
const OWN = [__dirname, __dirname.replace(/dist([/\\])tegg$/, 'src$1tegg')];

/** The file with the class whose decorator runs. */
function callingFile(): string {
  const files = (new Error().stack ?? '')
    .split('\n')
    .flatMap(line => line.match(/(?:file:\/\/)?((?:[A-Za-z]:|\/)[^():]*):\d+:\d+\)?$/)?.[1] ?? []);
  return files.find(file => !OWN.some(folder => file.startsWith(folder)) && !HELPERS.test(file)) ?? 'an unknown file';
}
