/**
 * Routes of decorated classes. tegg finds the classes, and hands them over while it loads modules and `app/controller`; they become routes when
 * the app has been loaded, after those of `app/router.js`.
 */
import type { Namespace as SocketIoNamespace } from 'socket.io';
import type { Contract } from '../contract/contract';
import { type EggApplication } from '../egg';
import { SetupError } from '../errors';
import { CONTROLLER, type EggProto, onLoadError, type TeggApplication, teggApplicationOf, teggMiddleware } from '../internals/tegg';
import type { SocketContext, SocketHandler } from '../path/context';
import { namespaceOf } from '../path/namespace';
import { RESERVED_EVENTS } from '../path/router';
import type { RoutedNamespace } from '../server/routed-namespace';
import { type DeclaredMethod, declarationsIn, lineageOf } from './declaration';
import { Injection } from './injection';
import { type Controller, controllerOf, mistakeInConnect, mistakeInEvent } from './controller';
import { decoratedFileIn } from './modules';
import { objectOf } from './objects';
import { logUnknownInjection } from './unknown-injection';

/** What routes are added to. */
interface Server {
  of(source: string | Contract): SocketIoNamespace;
}

export class TeggControllers {
  readonly #app: EggApplication;
  readonly #tegg: (TeggApplication & object) | undefined;
  readonly #injection: Injection | undefined;
  readonly #protos: { readonly Class: Controller['Class']; readonly proto: EggProto }[] = [];

  /** To be called before tegg loads anything, and after teggController has been created. */
  constructor(app: EggApplication) {
    this.#app = app;
    this.#tegg = teggApplicationOf(app);
    if (!this.#tegg) return;
    const classes = new Map<string, Controller['Class']>();
    this.#tegg.controllerMetaBuilderFactory.registerControllerMetaBuilder(CONTROLLER, Class => ({
      build: () => {
        const id = `${lineageOf(Class).at(-1)?.file ?? ''}#${Class.name}`;
        classes.set(id, Class);
        const methods = lineageOf(Class).flatMap(({ methods }) => [...methods.keys()]);
        // tegg wants unique names, and the methods for its own middleware of classes
        return { type: CONTROLLER, className: Class.name, controllerName: id, protoName: id, methods: methods.map(name => ({ name })) };
      },
    }));
    this.#tegg.controllerRegisterFactory.registerControllerRegister(CONTROLLER, (proto, { controllerName }) => ({
      register: async () => {
        const Class = classes.get(controllerName);
        if (Class) this.#protos.push({ Class, proto });
      },
    }));
    this.#injection = new Injection(this.#tegg, source => this.#server.of(source));
  }

  get #server(): Server {
    return Reflect.get(this.#app, 'io') as Server; // created by the plugin, before tegg loads anything
  }

  /** tegg's own error of an unknown name says only the module. To be called before tegg loads anything, and after it has its handler of modules. */
  explainErrors(): void {
    if (this.#tegg) onLoadError(this.#app, error => logUnknownInjection(this.#app, error));
  }

  /** To be called when the app has been loaded. @throws SetupError for a mistake in a class, and for classes that tegg has not found */
  async addRoutes(): Promise<void> {
    const tegg = this.#tegg;
    if (!tegg) {
      this.#findDecorated();
      return;
    }
    this.#findLost();
    this.#injection?.open();
    const places = new Map<SocketIoNamespace, Map<string, string>>();
    for (const { Class, proto } of this.#protos) {
      const controller = controllerOf(Class);
      const nsp = this.#server.of(controller.source);
      const known = places.get(nsp) ?? new Map<string, string>();
      places.set(nsp, known);
      const call = await objectOf(proto, tegg);
      for (const [name, method] of controller.methods) this.#addMethod(nsp, { controller, name, method, known, call });
    }
  }

  #addMethod(nsp: SocketIoNamespace, { controller, name, method, known, call }: Addition): void {
    const place = `${controller.place}.${name}()`;
    const namespace = namespaceOf(nsp);
    if (!namespace) throw new TypeError(`namespace '${nsp.name}' has not been taken over`);
    const run = call(name, method);
    if (method.isConnect) {
      const mistake = mistakeInConnect(controller, name, method);
      if (mistake !== undefined) invalid(place, mistake);
      namespace.connectionMiddleware = [
        ...namespace.connectionMiddleware,
        async (ctx, next) => {
          await run.call(ctx, ctx);
          await next();
        },
      ];
    }
    const own = teggMiddleware(controller.Class, name);
    const ofClass = [...own.class, ...controller.middleware];
    const ofMethod = [...own.method, ...method.middleware];
    const { router } = namespace;
    for (const declared of method.events) {
      const { event, options } = declared;
      const mistake = mistakeInEvent(controller, name, method, declared);
      if (mistake !== undefined) invalid(place, mistake);
      if (router.match(event) ?? router.reserved.get(event)) {
        const other = known.get(event) ?? 'a route in app/router.js, app.js or another plugin';
        throw new SetupError(
          'IO_ROUTE_DUPLICATE',
          `event '${event}' of namespace '${nsp.name}' has two handlers: ${place} and ${other}; remove one of the two`,
        );
      }
      known.set(event, place);
      const { route } = nsp as unknown as RoutedNamespace; // taken over
      const middleware = RESERVED_EVENTS.has(event) ? ofMethod : [...ofClass, ...ofMethod]; // like packet middleware
      // checked there: the event, the options, and the middleware, which in users' types has Egg's context
      Reflect.apply(route, nsp, [event, ...middleware, run, ...(Object.keys(options).length > 0 ? [options] : [])]);
    }
  }

  /** Classes of this app while tegg is off: those of `app/controller` are loaded all the same, and those of modules are not. */
  #findDecorated(): void {
    const { baseDir } = this.#app;
    const [loaded] = declarationsIn(baseDir);
    const place = loaded ? `${loaded.Class.name} in ${loaded.file}` : decoratedFileIn(baseDir);
    if (place === undefined) return;
    throw new SetupError(
      'IO_TEGG_OFF',
      `${place} has decorators of egg-socket.io/tegg, and tegg is off; turn on the plugins teggConfig, tegg and teggController in config/plugin`,
    );
  }

  /** Classes of this app that tegg has not handed over, or that are no controllers. */
  #findLost(): void {
    const found = new Set(this.#protos.flatMap(({ Class }) => lineageOf(Class)));
    for (const declaration of declarationsIn(this.#app.baseDir)) {
      const { Class, file, injected, isController } = declaration;
      if (found.has(declaration)) continue;
      const place = `${Class.name} in ${file}`;
      if (isController)
        throw new SetupError('IO_TEGG_CLASS_LOST', `tegg has not found ${place}; export it from a file in a module or in app/controller`);
      if (declaration.mistakes.length > 0) invalid(place, declaration.mistakes[0]);
      if (injected.size === 0 || declaration.methods.size > 0)
        invalid(place, "its methods have decorators, and the class has none: add @IoController('/name'), or extend it by such a class");
    }
  }

  close(): void {
    this.#injection?.close();
  }
}

interface Addition {
  readonly controller: Controller;
  readonly name: string;
  readonly method: DeclaredMethod;
  /** The places of the events that decorated classes have in the namespace. */
  readonly known: Map<string, string>;
  readonly call: (name: string, method: DeclaredMethod) => SocketHandler & ((ctx: SocketContext) => unknown);
}

function invalid(place: string, problem = 'its decorators are not valid'): never {
  throw new SetupError('IO_TEGG_CLASS_INVALID', `${place}: ${problem}`);
}
