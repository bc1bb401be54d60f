/** The Koa onion: each middleware runs around the ones after it. */
import { isError, throwIfError } from '../thrown';
import type { SocketContext, SocketHandler } from './context';

/** `next(error)` fails like `throw error`, as in Socket.IO's own middleware: a guard that is written so must not let clients in. */
type Next = (error?: unknown) => Promise<unknown>;

export type Layer = (ctx: SocketContext, next: Next) => unknown;

/** A layer with its origin. */
export interface NamedLayer {
  /** The name in the config. */
  readonly name: string;
  /** The app's own function. */
  readonly source: (...args: never[]) => unknown;
  readonly run: Layer;
}

/** Called for mistakes of middleware with its `next()`. */
export interface NextMistakes {
  /** The middleware called `next()` after it had ended. */
  onLateCall(): void;
  /** Such a call has failed, and nothing else handles its error. */
  onLateFailure(thrown: unknown): void;
  /** The middleware returned a function and did not call `next()`: it is the factory of middleware. */
  onFactory(): void;
}

/** Packets that middleware of their route has dropped. Not a result of the handler, which the namespace's middleware would see. */
const dropped = new WeakSet<SocketContext>();

/** Adds middleware to the handler of a route. The handler's value is the result, since middleware need not return it. */
export function withMiddleware(layers: readonly Layer[], handler: SocketHandler): SocketHandler {
  if (layers.length === 0) return handler;
  return ctx => {
    let hasRun = false;
    let result: unknown;
    const core = (): unknown => {
      hasRun = true;
      return Promise.resolve(handler.call(ctx, ctx)).then(value => (result = throwIfError(value)));
    };
    return descend(layers, ctx, core).then(value => {
      throwIfError(value);
      if (!hasRun) dropped.add(ctx);
      return result;
    });
  };
}

/** Whether middleware of a route has ended without `next()`, so that the handler has not been called. */
export function isDropped(ctx: SocketContext): boolean {
  return dropped.has(ctx);
}

/** Runs the layers from `index` on, with `core` innermost. Rejects if one of them throws. */
export function descend(layers: readonly Layer[], ctx: SocketContext, core: (ctx: SocketContext) => unknown, index = 0): Promise<unknown> {
  const layer = layers[index];
  try {
    if (!layer) return Promise.resolve(core(ctx));
    let called = false;
    let failure: Error | undefined; // also that of later calls
    return Promise.resolve(
      layer(ctx, error => {
        if (isError(error)) failure ??= error; // anything else may come from `promise.then(next)`
        if (failure) return Promise.reject(failure);
        if (called) return Promise.reject(new Error('next() was called twice in one middleware'));
        called = true;
        return descend(layers, ctx, core, index + 1);
      }),
    );
  } catch (thrown) {
    return Promise.reject(thrown); // oxlint-disable-line typescript/prefer-promise-reject-errors -- whatever user code throws is passed on
  }
}

/**
 * Wraps a layer so that it ends after its `next()`, even if it does not wait for that: otherwise the answer would be lost.
 * Middleware whose source shows that it awaits `next()` is not wrapped, which saves promises.
 */
export function waitingForNext(layer: Layer, { onLateCall, onLateFailure, onFactory }: NextMistakes): Layer {
  if (awaitsNext(layer)) return layer;
  return async (ctx, next) => {
    const calls = new Set<NextCall>();
    let hasEnded = false;
    let value: unknown;
    try {
      value = await layer(ctx, error => {
        if (hasEnded) onLateCall();
        const call = new NextCall(resolve => resolve(next(error)));
        call.onFailure(thrown => {
          if (hasEnded && !call.isHandled && !calls.has(call)) onLateFailure(thrown);
        });
        if (!hasEnded) calls.add(call);
        return call;
      });
    } catch (thrown) {
      calls.clear(); // the layer's own failure does not wait for them
      throw thrown;
    } finally {
      hasEnded = true;
    }
    if (calls.size === 0 && typeof value === 'function') onFactory();
    for (const call of calls) await call.end();
    return value;
  };
}

/** The promise of one call of `next()`. */
class NextCall extends Promise<unknown> {
  /** Whether the middleware has called `then()`, and so handles a failure itself. */
  isHandled = false;
  #hasFailed = false;

  static override get [Symbol.species](): PromiseConstructor {
    return Promise;
  }

  // oxlint-disable-next-line unicorn/no-thenable -- it is a promise
  override then<A, B>(
    onFulfilled?: ((value: unknown) => A | PromiseLike<A>) | null,
    onRejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    this.isHandled = true;
    return super.then(onFulfilled, onRejected);
  }

  /** Calls back if the promise rejects, without counting as handling it. */
  onFailure(listener: (thrown: unknown) => void): void {
    void super.then(undefined, (thrown: unknown) => {
      this.#hasFailed = true;
      listener(thrown);
    });
  }

  /** Resolves when the call has ended. Rejects with its failure, unless that has already been handled by the middleware. */
  async end(): Promise<void> {
    const wasHandled = this.#hasFailed && this.isHandled;
    try {
      await this;
    } catch (thrown) {
      if (!wasHandled) throw thrown;
    }
  }
}

/**
 * Whether an async function certainly awaits each `next()` that it calls: `await` precedes each of them, and there is no inner async
 * function that the `await` could belong to. A wrong "no", as for a comment with these words, only costs a few promises.
 */
function awaitsNext(layer: (...args: never[]) => unknown): boolean {
  const source = Function.prototype.toString.call(layer);
  const count = (pattern: RegExp): number => source.match(pattern)?.length ?? 0;
  const awaited = count(/\bawait next\(\)/g);
  return source.startsWith('async') && count(/\basync\b/g) === 1 && awaited > 0 && count(/\bnext\b/g) === awaited + 1; // 1: the parameter
}
