/** A decorated class with the decorators of those that it extends. */
import type { Contract } from '../contract/contract';
import { isContract } from '../contract/declaration';
import { SetupError } from '../errors';
import type { Class } from '../internals/tegg';
import { RESERVED_EVENTS } from '../path/router';
import { type DeclaredEvent, type DeclaredMethod, lineageOf } from './declaration';

export interface Controller {
  readonly Class: Class;
  /** For messages. */
  readonly place: string;
  readonly source: string | Contract;
  /** Of the class, outermost first. */
  readonly middleware: readonly unknown[];
  /** Of the class that is furthest down, each with its own decorators. */
  readonly methods: ReadonlyMap<string, DeclaredMethod>;
}

/** @throws SetupError for the first mistake */
export function controllerOf(Class: Class): Controller {
  const lineage = lineageOf(Class);
  const own = lineage.at(-1);
  const place = `${Class.name} in ${own?.file ?? 'an unknown file'}`;
  const [mistake] = lineage.flatMap(({ mistakes }) => mistakes);
  if (mistake !== undefined) throw invalid(place, mistake);
  const source = own?.source;
  if (source === undefined) throw invalid(place, "it has no namespace; add @IoController('/name')");
  const methods = new Map(lineage.flatMap(({ methods }) => [...methods]));
  for (const [name, { events, isConnect }] of methods) {
    if (events.length === 0 && !isConnect)
      throw invalid(`${place}: ${name}()`, 'it has decorators, and no event; add @IoEvent(), @IoConnect() or @IoDisconnect()');
  }
  if (methods.size === 0) throw invalid(place, 'it handles no event; add @IoEvent() to a method');
  return { Class, place, source, middleware: lineage.flatMap(({ middleware }) => middleware), methods };
}

/** What is wrong with an event of a method, or with its parameters. */
export function mistakeInEvent(controller: Controller, name: string, method: DeclaredMethod, declared: DeclaredEvent): string | undefined {
  const { Class, source } = controller;
  const { event, contract } = declared;
  if (contract && contract !== source)
    return `@IoEvent(contract, '${event}') has another contract than @IoController(); give both the same one`;
  if (!isContract(source) || RESERVED_EVENTS.has(event)) return mistakeIn(Class, name, method);
  const known: Contract['client'] = source.client ?? {};
  if (!Object.hasOwn(known, event)) return `the contract has no event '${event}'; it has ${Object.keys(known).join(', ') || 'none'}`;
  if (!contract && event !== name) return `the compiler cannot check it by @IoEvent('${event}'); write @IoEvent(contract, '${event}')`;
  return mistakeIn(Class, name, method, { of: 'the contract', count: known[event]?.args?.length ?? 0 });
}

/** What is wrong with a method that runs when a client connects. */
export function mistakeInConnect({ Class }: Controller, name: string, method: DeclaredMethod): string | undefined {
  return mistakeIn(Class, name, method, { of: 'a connection', count: 0 });
}

/** @param given the arguments that the method gets, if their number is known. They come before the injected ones */
function mistakeIn(
  { prototype }: Class,
  name: string,
  { parameters }: DeclaredMethod,
  given?: { readonly of: string; readonly count: number },
): string | undefined {
  const method: unknown = Reflect.get(prototype as object, name); // declared as any
  if (typeof method !== 'function') return 'it is no method; decorate methods alone';
  const count = Math.max(method.length, ...[...parameters.keys()].map(index => index + 1));
  const plain = count - parameters.size;
  for (const index of parameters.keys())
    if (index < plain)
      return `parameter ${index + 1} has a decorator; the arguments of the event come first, and the injected ones after them`;
  if (!given) return undefined;
  if (plain > given.count)
    return `it takes ${plain} arguments, and ${given.of} has ${given.count}; parameters after these need a decorator, such as @IoSocket()`;
  if (parameters.size > 0 && plain < given.count)
    return `it takes ${plain} of the ${given.count} arguments of ${given.of} before its injected parameters; name all of them`;
  return undefined;
}

function invalid(place: string, problem: string): SetupError {
  return new SetupError('IO_TEGG_CLASS_INVALID', `${place}: ${problem}`);
}
