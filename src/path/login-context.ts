/** Calls the functions of `config.io.auth`, each with a context of its own. */
import type { AsyncLocalStorage } from 'node:async_hooks';
import type { ContextOwner, SocketContext, SocketContextClass } from './context';
import { SETTLE } from './module-scope';

/** The part of `Runtime` that is used here. */
export interface ContextServices {
  readonly Context: SocketContextClass;
  readonly storage: AsyncLocalStorage<unknown>;
}

interface Client extends ContextOwner {
  readonly namespace: { readonly runtime: ContextServices };
}

type Ask = (ctx: SocketContext) => unknown;

/** Resolves when the function has ended. */
export async function askApp(connection: Client, ask: Ask): Promise<unknown> {
  const { Context, storage } = connection.namespace.runtime;
  const ctx = new Context(connection);
  try {
    return await storage.run(ctx, ask, ctx);
  } finally {
    ctx[SETTLE]?.();
  }
}

/** For a function that does not wait. */
export function askAtOnce(connection: Client, ask: Ask): unknown {
  const { Context, storage } = connection.namespace.runtime;
  const ctx = new Context(connection);
  try {
    return storage.run(ctx, ask, ctx);
  } finally {
    ctx[SETTLE]?.();
  }
}
