/** The Koa onion: each middleware runs around all that follow it. */

export type Layer<Ctx> = (ctx: Ctx, next: () => Promise<unknown>) => unknown;

/** Runs the middleware from the one at `index` on, and `core` innermost. A throw of any of them rejects. */
export function descend<Ctx>(layers: readonly Layer<Ctx>[], ctx: Ctx, core: (ctx: Ctx) => unknown, index = 0): Promise<unknown> {
  const layer = layers[index];
  try {
    if (!layer) return Promise.resolve(core(ctx));
    let called = false;
    return Promise.resolve(
      layer(ctx, () => {
        if (called) return Promise.reject(new Error('next() was called twice in one middleware'));
        called = true;
        return descend(layers, ctx, core, index + 1);
      }),
    );
  } catch (thrown) {
    return Promise.reject(thrown); // oxlint-disable-line typescript/prefer-promise-reject-errors -- what user code throws goes on as it is
  }
}
