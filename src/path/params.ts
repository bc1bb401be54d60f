/** `ctx.params`: the parts of the namespace's name. */

/** The part of a connection that is used here. */
export interface ParamsOwner {
  /** Created anew for each call. */
  readonly params: Record<string, string>;
}

const PARAMS = Symbol('params');

/** Adds `ctx.params` to the prototype of contexts. Each context has a copy of its own, created on first access. It can be replaced, as over HTTP. */
export function addParams<Ctx extends object>(prototype: Ctx, ownerOf: (ctx: Ctx) => ParamsOwner): void {
  const member: PropertyDescriptor & ThisType<Ctx & { [PARAMS]?: unknown }> = {
    configurable: true,
    get() {
      return (this[PARAMS] ??= ownerOf(this).params);
    },
    set(params: unknown) {
      this[PARAMS] = params;
    },
  };
  Object.defineProperty(prototype, 'params', member);
}
