/** Gives Socket.IO's namespaces, and parents, the methods `route()` and `routeUnmatched()`. */
import type { Namespace as SocketIoNamespace } from 'socket.io';
import type { Settings } from '../config/settings';
import type { EggApplication } from '../egg';
import { SetupError } from '../errors';
import { toAsync } from '../loader/handlers';
import type { LoadedFiles } from '../loader/loader';
import { isChainable } from '../path/chainable';
import type { SocketHandler } from '../path/context';
import { addToNamespaces } from '../internals/namespace-class';
import { type Namespace, namespaceOf } from '../path/namespace';
import { handlingOnce, type KeyOf } from '../path/once';
import { withMiddleware } from '../path/onion';
import type { GivenRoute } from '../path/router';
import type { SpecificHandler } from '../types';
import { lateFailureLogOf } from './namespace-middleware';
import { routeParts } from './route-parts';
import type { RouteOptions } from './routes';

export class RouteMethods {
  readonly #app: EggApplication;
  readonly #acknowledge: Settings['acknowledge'];
  readonly #files: LoadedFiles;
  readonly #methods: object;

  constructor(app: EggApplication, { acknowledge }: Settings, files: LoadedFiles) {
    this.#app = app;
    this.#acknowledge = acknowledge;
    this.#files = files;
    const read = (namespace: Namespace, args: readonly unknown[]) => (place: string) => this.#read(namespace, args, place);
    this.#methods = {
      route(this: SocketIoNamespace, event: unknown, ...args: unknown[]): SocketIoNamespace {
        const namespace = takenOver(this);
        namespace.router.add(event, read(namespace, args));
        return this;
      },
      routeUnmatched(this: SocketIoNamespace, ...args: unknown[]): SocketIoNamespace {
        const namespace = takenOver(this);
        namespace.router.addUnmatched(read(namespace, args));
        return this;
      },
    };
  }

  addTo(nsp: SocketIoNamespace): void {
    addToNamespaces(nsp, this.#methods);
  }

  #read(namespace: Namespace, args: readonly unknown[], place: string): GivenRoute {
    refuseOnDemand(namespace, place);
    const onLateFailure = lateFailureLogOf(namespace);
    const { handler, middleware, options } = routeParts(args, place);
    const toHandler = (fn: SpecificHandler): SocketHandler => {
      const layers = middleware.map((one, i) => this.#files.routeLayer(one, i + 1, place, onLateFailure));
      const { idempotencyKey } = options;
      if (idempotencyKey) requireOutcomes(namespace, place);
      const answering = this.#answering(toAsync(fn, place, this.#app), options, namespace);
      return withMiddleware(layers, handlingOnce(answering, idempotencyKey as KeyOf | undefined)); // it gets the context that it asks for
    };
    return {
      handler: typeof handler === 'string' ? this.#files.controller(handler, place) : handler,
      toHandler,
      hasKey: options.idempotencyKey !== undefined,
    };
  }

  /** Wraps a handler so that it returns the acknowledgement, as the options and the contract require. */
  #answering(handler: SocketHandler, { acknowledge = false, idempotencyKey }: RouteOptions, namespace: Namespace): SocketHandler {
    if (acknowledge || idempotencyKey) {
      return async ctx => {
        const value = await handler.call(ctx, ctx);
        return value === undefined || isChainable(value) ? null : value;
      };
    }
    if (this.#acknowledge === 'return') return handler;
    return async ctx => {
      const value = await handler.call(ctx, ctx);
      return namespace.contract?.hasAck(ctx.packet?.[0]) ? value : undefined;
    };
  }
}

function takenOver(nsp: SocketIoNamespace): Namespace {
  return namespaceOf(nsp) as Namespace; // each is taken over before the app gets it, but for listeners of `new_namespace`
}

/** @throws SetupError if the handler could run twice */
function requireOutcomes({ runtime }: Namespace, place: string): void {
  if (runtime.outcomes) return;
  const problem = 'the workers and servers of this app have no common place for the answers of a route with idempotencyKey';
  throw new SetupError(
    'IO_STORE_MISSING',
    `${place}: ${problem}; use an adapter for Redis or PostgreSQL, run it on one machine without an adapter, or keep the keys in a database`,
  );
}

/** @throws SetupError if the parents decide about a namespace: it would have routes that no packet reaches */
export function refuseOnDemand({ parents, parent }: Namespace, place: string): void {
  if (!parents || parents.isEmpty) return;
  const whose = parent ? `'${parent.name}'` : 'the parent that accepts its clients';
  throw new SetupError(
    'IO_ROUTE_DYNAMIC',
    `${place}: this namespace has the routes and the contract of ${whose}; add them there, or while the app starts`,
  );
}
