/** The Koa onion: each middleware runs around all that follow it. */
import type { SocketContext } from './context';

export type Layer = (ctx: SocketContext, next: () => Promise<unknown>) => unknown;

/** A layer, and where it comes from. */
export interface NamedLayer {
  /** In the config. */
  readonly name: string;
  /** As the app has written it. */
  readonly source: (...args: never[]) => unknown;
  readonly run: Layer;
}

/** Runs the middleware from the one at `index` on, and `core` innermost. A throw of any of them rejects. */
export function descend(layers: readonly Layer[], ctx: SocketContext, core: () => unknown, index = 0): Promise<unknown> {
  const layer = layers[index];
  try {
    if (!layer) return Promise.resolve(core());
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

/** What middleware does that does not wait for its `next()`. */
export interface OnLate {
  /** `next()` was called after the middleware had ended. */
  called(): void;
  /** What that call began has failed, and nobody else hears of it. */
  failed(thrown: unknown): void;
}

/**
 * A layer that ends when what its `next()` began has ended as well, whether it waits for that or not: else the answer would be lost.
 * Middleware that plainly awaits it, as its source shows, is taken as it is: it costs no promise more.
 */
export function waitingForNext(layer: Layer, onLate: OnLate): Layer {
  if (awaitsNext(layer)) return layer;
  return async (ctx, next) => {
    const begun = new Set<Begun>();
    let hasEnded = false;
    let value: unknown;
    try {
      value = await layer(ctx, () => {
        if (hasEnded) onLate.called();
        const one = new Begun(resolve => resolve(next()));
        one.watch(thrown => {
          if (hasEnded && !one.isTaken && !begun.has(one)) onLate.failed(thrown);
        });
        if (!hasEnded) begun.add(one);
        return one;
      });
    } catch (thrown) {
      begun.clear(); // its own failure is not held back
      throw thrown;
    } finally {
      hasEnded = true;
    }
    for (const one of begun) await one.end();
    return value;
  };
}

/** What a call of `next()` began. */
class Begun extends Promise<unknown> {
  /** Whether somebody waits for it: a failure is then theirs. */
  isTaken = false;
  #hasFailed = false;

  static override get [Symbol.species](): PromiseConstructor {
    return Promise;
  }

  // oxlint-disable-next-line unicorn/no-thenable -- it is a promise
  override then<A, B>(
    onFulfilled?: ((value: unknown) => A | PromiseLike<A>) | null,
    onRejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    this.isTaken = true;
    return super.then(onFulfilled, onRejected);
  }

  /** Hears of a failure without taking it. */
  watch(onFailure: (thrown: unknown) => void): void {
    void super.then(undefined, (thrown: unknown) => {
      this.#hasFailed = true;
      onFailure(thrown);
    });
  }

  /** Resolves when it has ended. Rejects if it fails from now on, or has failed and nobody has taken it. */
  async end(): Promise<void> {
    const isTheirs = this.#hasFailed && this.isTaken;
    try {
      await this;
    } catch (thrown) {
      if (!isTheirs) throw thrown;
    }
  }
}

/**
 * Whether an async function waits for each `next()` that it calls. That is sure where `await` stands before each of them and no other
 * async function is inside, to which it could belong; anything else, as a comment with these words, only costs a few promises.
 */
function awaitsNext(layer: (...args: never[]) => unknown): boolean {
  const source = Function.prototype.toString.call(layer);
  const count = (pattern: RegExp): number => source.match(pattern)?.length ?? 0;
  const awaited = count(/\bawait next\(\)/g);
  return source.startsWith('async') && count(/\basync\b/g) === 1 && awaited > 0 && count(/\bnext\b/g) === awaited + 1; // and the parameter
}
