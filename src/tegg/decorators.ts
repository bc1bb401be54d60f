/** The decorators of classes whose methods handle the events of a namespace. */
import type { Contract } from '../contract/contract';
import { isContract } from '../contract/declaration';
import type { KnownName, ReceivedName } from '../events';
import { type Class, injectInto, markController } from '../internals/tegg';
import type { RouteOptions } from '../server/routes';
import { declarationOf, type DeclaredMethod, lineageOf, type ReadParameter } from './declaration';
import type {
  ControllerDecorator,
  EventDecorator,
  MethodDecorator,
  MiddlewareDecorator,
  ParameterDecorator,
  PropertyDecorator,
  PublicMethodDecorator,
} from './types';
import type { SpecificMiddleware } from '../types';

/** Decorators of methods in the order of the standard, which have no class yet: `@IoController` runs right after them. */
const waiting: { readonly name: string; readonly declare: (method: DeclaredMethod) => void }[] = [];

/**
 * Makes the methods of a class handle the events of a namespace. tegg has to find the class: in a module or in `app/controller`.
 *
 * One object of the class handles all events. With tegg's `@ContextProto()` beside it, each packet has an object of its own.
 *
 * @param source the name of the namespace, a pattern such as `/room-{id}`, or a contract. Methods with the name of an event that is declared,
 * or of one of the contract, have to fit it: its arguments come first, and the method returns the acknowledgement
 *
 * @example
 * @IoController('/chat')
 * export class ChatController {
 *   @Inject() private readonly words!: WordsService;
 *
 *   @IoEvent()
 *   async say(text: string, @IoSocket() socket: Socket) {
 *     socket.broadcast.emit('said', text);
 *     return this.words.count(text);
 *   }
 * }
 */
export function IoController<C extends Contract>(contract: C): ControllerDecorator<C>;
export function IoController<const Name extends string>(namespace: KnownName<Name>): ControllerDecorator<Name>;
export function IoController(source: string | Contract): (Class: Class) => void {
  return (Class, context?: unknown) => {
    const declaration = declarationOf(Class);
    Object.assign(declaration, { isController: true, source });
    if (!isContract(source) && (typeof source !== 'string' || source === ''))
      declaration.mistakes.push("@IoController() has no namespace; give it a name, such as '/chat', or a contract");
    if (context !== undefined) {
      // those of a class without @IoController are not this one's
      for (const { name, declare } of waiting.splice(0)) if (name in (Class.prototype as object)) declare(declaration.method(name));
    }
    const methods = lineageOf(Class).flatMap(({ methods }) => [...methods.keys()]);
    markController(Class, declaration.file, methods);
  };
}

/**
 * Makes a method handle an event. It gets the event's arguments in order, then what parameters with a decorator ask for. What it returns is the
 * acknowledgement, as for a route.
 *
 * @param event the name of the event. Default: that of the method
 */
export function IoEvent(event?: string, options?: RouteOptions): PublicMethodDecorator;
/** The same for an event of a contract that has another name than its method. The method has to fit the event. */
export function IoEvent<C extends Contract, const Event extends string>(
  contract: C,
  event: Event & ReceivedName<C>,
  options?: RouteOptions,
): EventDecorator<C, Event>;
export function IoEvent(...given: unknown[]): MethodDecorator {
  const [first, ...others] = given;
  const contract = isContract(first) ? first : undefined;
  const [event, options = {}] = contract ? others : given;
  return onMethod((method, name) => {
    // whether it is a string is checked with the route
    method.events.push({ event: (event ?? name) as string, options: options as RouteOptions, contract });
  });
}

/**
 * Makes a method run when a client connects, inside connection middleware. If it throws, the client is refused. It gets no arguments but those
 * with a decorator; what it emits to the client arrives after the connection.
 */
export function IoConnect(): MethodDecorator {
  return onMethod(method => (method.isConnect = true));
}

/** Makes a method run when a client has gone. Its first argument is the reason, such as `'transport close'`. */
export function IoDisconnect(): MethodDecorator {
  return IoEvent('disconnect');
}

/**
 * Runs middleware around the events of a class, or of a method: functions, or names of files in `app/io/middleware`, outermost first. That of the
 * class runs around that of the method, and inside `packetMiddleware` of the config.
 */
export function IoMiddleware(...middleware: (SpecificMiddleware | string)[]): MiddlewareDecorator {
  const ofMethod = onMethod(method => method.middleware.unshift(...middleware)); // the one above runs later, and around it
  return (target: unknown, ...others: unknown[]) => {
    const [name] = others;
    const isClass = typeof target === 'function' && (name === undefined || kindOf(name) === 'class');
    if (isClass) declarationOf(target as Class).middleware.unshift(...middleware);
    else Reflect.apply(ofMethod, undefined, [target, ...others]);
  };
}

/** Injects Egg's context of the packet, or of the connection in a method with `@IoConnect`. */
export function IoContext(): ParameterDecorator {
  return onParameter(ctx => ctx);
}

/** Injects the client, `ctx.socket`. */
export function IoSocket(): ParameterDecorator {
  return onParameter(ctx => ctx.socket);
}

/** Injects the function that acknowledges the packet. Undefined if the client did not ask for that. A method that returns the answer needs none. */
export function IoAck(): ParameterDecorator {
  return onParameter(ctx => ctx.ack);
}

/** Injects the session, `ctx.session`. Undefined if Egg's session plugin is off. */
export function IoSession(): ParameterDecorator {
  return onParameter(ctx => Reflect.get(ctx, 'session'));
}

/** Injects a part of the namespace's name, such as `id` of `/room-{id}`. */
export function IoParam(name: string): ParameterDecorator {
  return onParameter(ctx => (Reflect.get(ctx, 'params') as Record<string, unknown>)[name]); // each context has them
}

/** Injects the user, `ctx.socket.user`. Undefined if nobody has set one. */
export function IoUser(): ParameterDecorator {
  return onParameter(ctx => Reflect.get(ctx.socket, 'user'));
}

/**
 * Injects a namespace into a property of any class of tegg, as `app.io.of()` returns it.
 *
 * @example @IoNamespace(chat) private readonly chat!: RoutedNamespace<typeof chat>;
 */
export function IoNamespace(source: string | Contract): PropertyDecorator {
  return (target, property) => {
    const Class = target.constructor as Class; // the prototype of a class
    const name = `io.of(${isContract(source) ? source.namespace : source})`;
    declarationOf(Class).injected.set(name, source);
    injectInto(Class, property, name);
  };
}

/** A decorator of methods, for both kinds of decorators. */
function onMethod(declare: (method: DeclaredMethod, name: string) => void): MethodDecorator {
  return (target: unknown, property: unknown) => {
    const isStandard = kindOf(property) !== undefined;
    const name: unknown = isStandard ? Reflect.get(property as object, 'name') : property;
    if (isStandard) waiting.push({ name: String(name), declare: method => declare(method, String(name)) });
    else if (typeof target === 'function')
      declarationOf(target as Class).mistakes.push(`${String(name)} is static; decorate methods of objects`);
    else {
      const declaration = declarationOf((target as object).constructor as Class); // the prototype of a class
      if (typeof name === 'string') declare(declaration.method(name), name);
      else declaration.mistakes.push(`${String(name)} is a symbol; give the method a name`);
    }
  };
}

function onParameter(read: ReadParameter): ParameterDecorator {
  return (target, name, index) => {
    const declaration = declarationOf(target.constructor as Class); // the prototype of a class, or a class, whose constructor is Function
    if (typeof name === 'string') declaration.method(name).parameters.set(index, read);
    else
      declarationOf(target as Class).mistakes.push(
        'a parameter of the constructor has a decorator for parameters of methods; use @Inject()',
      );
  };
}

/** What a decorator of the standard decorates. Undefined for one of the other kind. */
function kindOf(context: unknown): unknown {
  return typeof context === 'object' && context !== null ? Reflect.get(context, 'kind') : undefined;
}
