/** The objects of decorated classes, and the calls of their methods. */
import { CONTEXT, type EggProto, SINGLETON, type TeggApplication } from '../internals/tegg';
import type { SocketContext, SocketHandler } from '../path/context';
import type { DeclaredMethod } from './declaration';

type Methods = Record<string, (...args: unknown[]) => unknown>;

/** Makes a handler of a method. */
type ToHandler = (name: string, method: DeclaredMethod) => SocketHandler;

/**
 * How methods of a class are called. A singleton is looked up once, unless something that it injects belongs to the packet: then tegg has to be
 * asked for each packet, as for a prototype of the context.
 */
export async function objectOf(proto: EggProto, { eggContainerFactory: container }: TeggApplication): Promise<ToHandler> {
  if (proto.initType === SINGLETON && !dependsOnContext(proto)) {
    const { obj } = await container.getOrCreateEggObject(proto, proto.name);
    return (name, method) => {
      const args = argumentsOf(method);
      return ctx => (obj as Methods)[name]?.(...args(ctx)); // looked up each time: tests replace methods
    };
  }
  return (name, method) => {
    const args = argumentsOf(method);
    return ctx => container.getOrCreateEggObject(proto, proto.name).then(({ obj }) => (obj as Methods)[name]?.(...args(ctx)));
  };
}

/** Whether an object of this class is, or injects, something that belongs to a packet. */
function dependsOnContext(proto: EggProto, seen = new Set<EggProto>()): boolean {
  if (seen.has(proto)) return false;
  seen.add(proto);
  return proto.initType === CONTEXT || (proto.injectObjects ?? []).some(injected => dependsOnContext(injected.proto, seen));
}

/** The arguments of the event, then the injected ones. */
function argumentsOf({ parameters }: DeclaredMethod): (ctx: SocketContext) => readonly unknown[] {
  if (parameters.size === 0) return eventArguments;
  const injected = [...parameters].toSorted(([a], [b]) => a - b);
  const first = injected[0]?.[0] ?? 0;
  return ctx => {
    const args = eventArguments(ctx).slice(0, first);
    args.length = first; // a client may send fewer
    for (const [, read] of injected) args.push(read(ctx));
    return args;
  };
}

/** Without the acknowledgement function. */
function eventArguments({ args }: SocketContext): unknown[] {
  return typeof args.at(-1) === 'function' ? args.slice(0, -1) : args;
}
