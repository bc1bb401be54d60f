/**
 * How tegg knows the classes that it makes objects of, and what its plugins offer to other plugins. It keeps metadata of classes with
 * reflect-metadata under symbols of the global registry, the same in tegg 3 and 4 and in all copies of a package. So a decorator of ours needs
 * no package of tegg, which could not be found from here with every package manager.
 */
import { requireMembers, type Members } from './members';

export type Class = abstract new (...args: never[]) => object;

/** The prototype of a class in tegg: it knows how to make an object. */
export interface EggProto {
  readonly name: PropertyKey;
  readonly initType: string;
  readonly injectObjects?: readonly { readonly proto: EggProto }[];
}

/** A module, `app/controller`, or the app itself. */
export interface LoadUnit {
  readonly type: string;
}

interface UnitHook {
  preCreate(context: { readonly loader: { load(): unknown } }, unit: LoadUnit): Promise<void>;
}

/** What the builder of our type has built. */
interface ControllerMetadata {
  readonly controllerName: string;
}

interface Register {
  register(): Promise<void>;
}

/** What the plugins tegg and teggController add to an app. */
export interface TeggApplication {
  readonly controllerMetaBuilderFactory: {
    registerControllerMetaBuilder(type: string, create: (Class: Class) => { build(): unknown }): void;
  };
  readonly controllerRegisterFactory: {
    registerControllerRegister(type: string, create: (proto: EggProto, metadata: ControllerMetadata) => Register): void;
  };
  readonly eggContainerFactory: { getOrCreateEggObject(proto: EggProto, name: PropertyKey): Promise<{ readonly obj: object }> };
  readonly loadUnitLifecycleUtil: { registerLifecycle(hook: UnitHook): void; deleteLifecycle(hook: UnitHook): void };
  readonly eggPrototypeCreatorFactory: { createProto(Class: object, unit: LoadUnit): unknown };
  readonly eggPrototypeFactory: { registerPrototype(proto: EggProto, unit: LoadUnit): void };
}

const TEGG_APPLICATION: Members<TeggApplication> = {
  package: '@eggjs/tegg-plugin',
  owner: 'Application',
  why: {
    controllerMetaBuilderFactory: 'tegg asks here what a decorated class is',
    controllerRegisterFactory: 'tegg hands over decorated classes here',
    eggContainerFactory: 'makes the objects of decorated classes',
    loadUnitLifecycleUtil: 'tells when a module is loaded',
    eggPrototypeCreatorFactory: 'makes namespaces injectable',
    eggPrototypeFactory: 'makes namespaces injectable',
  },
};

/** The type of our controllers in tegg, which its own have as well: HTTP, MCP. */
export const CONTROLLER = 'IO';
/** The types of objects: one for the app, and one for each request. */
export const SINGLETON = 'SINGLETON';
export const CONTEXT = 'CONTEXT';
/** The type of the unit with what can be injected of the app itself. */
export const APP_UNIT = 'APP';

/** The kind of object that a function of the app provides. */
const PROVIDER = ['EGG', 'COMPATIBLE'].join('_'); // in one piece it would count as one of our codes

const IS_PROTO = Symbol.for('EggPrototype#isEggPrototype');
const FILE_PATH = Symbol.for('EggPrototype.filePath');
const PROPERTY = Symbol.for('EggPrototype.Property');
const INJECT_TYPE = Symbol.for('EggPrototype.injectType');
const INJECTED = Symbol.for('EggPrototype.injectObjectNames');
const CONTROLLER_TYPE = Symbol.for('EggPrototype#controllerType');
const CONTROLLER_MIDDLEWARE = Symbol.for('EggPrototype#controller#middlewares');
const METHOD_TYPES = Symbol.for('EggPrototype#controller#mthods');
const METHOD_MIDDLEWARE = Symbol.for('EggPrototype#method#middlewares');

/** What reflect-metadata adds to `Reflect`. */
interface Metadata {
  defineMetadata(key: symbol, value: unknown, target: object): void;
  getMetadata(key: symbol, target: object): unknown;
  getOwnMetadata(key: symbol, target: object): unknown;
}

/** Undefined if nothing has loaded tegg. */
function metadata(): Metadata | undefined {
  return 'defineMetadata' in Reflect ? (Reflect as unknown as Metadata) : undefined; // not declared
}

/** The app with the members that its plugins add. Undefined if one of them is off. @throws SetupError if one lacks a member */
export function teggApplicationOf(app: object): (TeggApplication & object) | undefined {
  if (!('controllerRegisterFactory' in app) || !('eggContainerFactory' in app)) return undefined;
  requireMembers(TEGG_APPLICATION, app);
  return app as TeggApplication; // it has them all
}

/** Makes tegg hand over a class, with these methods. It is a singleton unless it is a prototype already. */
export function markController(Class: Class, file: string, methods: readonly string[]): void {
  const tegg = metadata();
  if (!tegg) return;
  if (!tegg.getOwnMetadata(PROPERTY, Class)) markProto(Class, file, { accessLevel: 'PUBLIC', protoImplType: 'DEFAULT' });
  tegg.defineMetadata(CONTROLLER_TYPE, CONTROLLER, Class);
  tegg.defineMetadata(METHOD_TYPES, new Map(methods.map(name => [name, CONTROLLER])), Class);
}

/** A function that returns something of the app, as a class for tegg. */
export function markProvider(provide: () => unknown, name: string): void {
  markProto(provide, __filename, { accessLevel: 'PUBLIC', protoImplType: PROVIDER, name });
}

function markProto(Class: Class | (() => unknown), file: string, property: object): void {
  const tegg = metadata();
  const className = Class.name.replace(/\$\d+$/, ''); // compilers add such a suffix
  const name = `${className.slice(0, 1).toLowerCase()}${className.slice(1)}`;
  tegg?.defineMetadata(IS_PROTO, true, Class);
  tegg?.defineMetadata(FILE_PATH, file, Class);
  tegg?.defineMetadata(PROPERTY, { initType: SINGLETON, name, className, ...property }, Class);
}

/** Injects the object with this name into a property, as tegg's own `@Inject({ name })`. */
export function injectInto(Class: Class, property: PropertyKey, name: string): void {
  const tegg = metadata();
  const known = tegg?.getMetadata(INJECTED, Class);
  tegg?.defineMetadata(INJECT_TYPE, 'PROPERTY', Class);
  tegg?.defineMetadata(INJECTED, [...(Array.isArray(known) ? (known as unknown[]) : []), { refName: property, objName: name }], Class);
}

/** The names of the objects that a class injects. */
export function injectedNames(Class: Class): string[] {
  const known = metadata()?.getMetadata(INJECTED, Class);
  return Array.isArray(known) ? (known as { objName: PropertyKey }[]).map(({ objName }) => String(objName)) : []; // what tegg keeps there
}

/** Calls back if tegg cannot load the modules. To be called after tegg has been created. */
export function onLoadError(app: object, handle: (error: Error) => void): void {
  const handler: unknown = Reflect.get(app, 'moduleHandler');
  const ready: unknown = typeof handler === 'object' && handler !== null ? Reflect.get(handler, 'ready') : undefined;
  if (typeof ready === 'function') Reflect.apply(ready, handler, [(error: unknown) => error instanceof Error && handle(error)]);
}

/** The functions of tegg's own `@Middleware`, of the class and of a method. */
export function teggMiddleware(Class: Class, method: string): { readonly class: readonly unknown[]; readonly method: readonly unknown[] } {
  const ofClass = metadata()?.getMetadata(CONTROLLER_MIDDLEWARE, Class);
  const ofMethods = metadata()?.getMetadata(METHOD_MIDDLEWARE, Class);
  const ofMethod: unknown = ofMethods instanceof Map ? ofMethods.get(method) : undefined;
  return { class: Array.isArray(ofClass) ? ofClass : [], method: Array.isArray(ofMethod) ? ofMethod : [] };
}
