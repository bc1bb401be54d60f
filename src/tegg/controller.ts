/** A decorated class with the decorators of those that it extends. */
import type { Contract } from '../contract/contract';
import { SetupError } from '../errors';
import type { Class } from '../internals/tegg';
import { type DeclaredMethod, lineageOf } from './declaration';

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

/**
 * What is wrong with the parameters of a method: the arguments of the event come first.
 * @param given the number of arguments in the contract. Undefined without one
 */
export function mistakeIn(
  { prototype }: Class,
  name: string,
  { parameters }: DeclaredMethod,
  given: number | undefined,
): string | undefined {
  const method: unknown = Reflect.get(prototype as object, name); // declared as any
  if (typeof method !== 'function') return 'it is no method';
  const count = Math.max(method.length, ...[...parameters.keys()].map(index => index + 1));
  const plain = count - parameters.size;
  for (const index of parameters.keys())
    if (index < plain)
      return `parameter ${index + 1} has a decorator; the arguments of the event come first, and the injected ones after them`;
  if (given !== undefined && plain > given)
    return `it takes ${plain} arguments, and the contract has ${given}; parameters after these need a decorator, such as @IoSocket()`;
  if (given !== undefined && parameters.size > 0 && plain < given)
    return `it takes ${plain} of the ${given} arguments of the contract before its injected parameters; name all of them`;
  return undefined;
}

function invalid(place: string, problem: string): SetupError {
  return new SetupError('IO_TEGG_CLASS_INVALID', `${place}: ${problem}`);
}
