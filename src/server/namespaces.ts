/** Adds routes and middleware to Socket.IO's namespaces, and lets parent namespaces decide about their clients. */
import type { Namespace as SocketIoNamespace, Server as SocketIoServer } from 'socket.io';
import { checkBroadcasts } from '../backplane/wrappers/encode-once';
import type { Settings } from '../config/settings';
import type { Contract } from '../contract/contract';
import { checkContract } from '../contract/declaration';
import type { EggApplication } from '../egg';
import { SetupError } from '../errors';
import { toError } from '../thrown';
import { toAsync } from '../loader/handlers';
import { fileOf, type LoadedFiles } from '../loader/loader';
import { isChainable } from '../path/chainable';
import type { ErrorMapper, SocketHandler } from '../path/context';
import { named, openEntrance } from '../path/entrance';
import { Namespace } from '../path/namespace';
import { withMiddleware } from '../path/onion';
import { AbsentNamespace, keepForArrivals, type Parent, Parents, removeCopies } from '../path/parents';
import type { GivenRoute } from '../path/router';
import { catchUseErrors } from '../path/uses';
import type { Runtime } from '../path/runtime';
import type { SpecificHandler } from '../types';
import { routeParts } from './route-parts';
import type { RouteOptions } from './routes';

export class Namespaces {
  readonly #app: EggApplication;
  readonly #settings: Settings;
  readonly #files: LoadedFiles;
  readonly #runtime: Runtime;
  /** Undefined for a parent. */
  readonly #adopted = new WeakMap<SocketIoNamespace, Namespace | undefined>();
  readonly #contracts = new Map<Contract, SocketIoNamespace>();
  /** Namespaces that get their middleware when the app has been loaded. */
  readonly #waiting = new Set<Namespace>();
  #parents: Parents | undefined;
  #isLoaded = false;
  /** Whether the app is ready. Namespaces that are created from then on need the consent of a parent, if there are any. */
  #isStarted = false;

  constructor(app: EggApplication, settings: Settings, files: LoadedFiles, runtime: Runtime) {
    this.#app = app;
    this.#settings = settings;
    this.#files = files;
    this.#runtime = runtime;
  }

  /** The contracts of all namespaces. */
  get contracts(): readonly Contract[] {
    return [...this.#contracts.keys()];
  }

  /** Creates the namespaces of the config. To be called once, when the server exists. */
  open(server: SocketIoServer): void {
    this.#parents = new Parents(server);
    for (const name of ['/', ...this.#settings.namespaces.keys()]) server.of(name);
  }

  /** Resolves the names of middleware. To be called when the app has been loaded. */
  load(): void {
    this.#isLoaded = true;
    this.#app.ready(() => (this.#isStarted = true));
    for (const namespace of this.#waiting) this.#takeMiddleware(namespace);
    this.#waiting.clear();
  }

  /** Takes over a new namespace. @param isNamed false for a parent */
  adopt(nsp: SocketIoNamespace, isNamed: boolean): void {
    if (this.#adopted.has(nsp)) return;
    this.#adopted.set(nsp, isNamed ? this.#adoptNamed(nsp) : undefined);
    if (!isNamed) this.#adoptParent(nsp as Parent); // created by Socket.IO from a function or a regular expression
  }

  /**
   * The namespace of a contract.
   * @param of creates it if it does not exist
   * @throws SetupError if the contract is not valid, the namespace has another one, or the app has started, so that packets may have come already
   */
  ofContract(contract: Contract, of: (name: string) => SocketIoNamespace): SocketIoNamespace {
    const known = this.#contracts.get(contract);
    if (known) return known;
    checkContract(contract);
    const place = `of(contract) for namespace '${contract.namespace}'`;
    if (this.#isStarted)
      throw new SetupError('IO_CONTRACT_LATE', `${place}: the app has started; call it in app/router.js or app.js first`);
    const nsp = of(contract.namespace);
    const namespace = this.#adopted.get(nsp);
    if (!namespace) throw new SetupError('IO_CONTRACT_INVALID', `${place}: a contract is for one namespace, not for a pattern`);
    namespace.setContract(contract, this.#settings.checkOutgoing);
    this.#contracts.set(contract, nsp);
    this.checkBroadcasts(nsp);
    return nsp;
  }

  /** Checks the broadcasts of a namespace with a contract. To be called when it has a new adapter. */
  checkBroadcasts(nsp: SocketIoNamespace): void {
    const outgoing = this.#adopted.get(nsp)?.contract?.outgoing;
    if (outgoing) checkBroadcasts(nsp.adapter, packet => outgoing.event(packet));
  }

  /** A temporary replacement for a namespace that does not exist, while the parents are asked. Undefined if there are no parents. */
  standIn(server: SocketIoServer, name: string): SocketIoNamespace | undefined {
    if (!this.#parents || this.#parents.isEmpty || !name.startsWith('/')) return undefined;
    return new AbsentNamespace(server, name);
  }

  #adoptNamed(nsp: SocketIoNamespace): Namespace {
    const isOnDemand = this.#isStarted || nsp instanceof AbsentNamespace;
    const namespace = new Namespace(this.#runtime, nsp, isOnDemand ? this.#parents : undefined);
    const onerror = this.#settings.namespaces.get(nsp.name)?.onerror ?? this.#settings.onerror;
    namespace.errorMapper = onerror as ErrorMapper | undefined; // in users' types the context is Egg's, of which ours is a part
    openEntrance(nsp, namespace);
    const { router } = namespace;
    const read = (args: readonly unknown[], place: string): GivenRoute => {
      const { handler, middleware, options } = routeParts(args, place);
      const toHandler = (fn: SpecificHandler): SocketHandler => {
        const layers = middleware.map((one, i) => this.#files.routeLayer(one, i + 1, place, this.#lateFailureLog(namespace)));
        return withMiddleware(layers, this.#answering(toAsync(fn, place, this.#app), options, namespace));
      };
      return { handler: typeof handler === 'string' ? this.#files.controller(handler, place) : handler, toHandler };
    };
    Object.assign(nsp, {
      route(event: unknown, ...args: unknown[]): SocketIoNamespace {
        router.add(event, place => read(args, place));
        return nsp;
      },
      routeUnmatched(...args: unknown[]): SocketIoNamespace {
        router.addUnmatched(place => read(args, place));
        return nsp;
      },
    });
    this.#runtime.deprecations.addToNamespace(nsp);
    if (this.#isLoaded) this.#takeMiddleware(namespace);
    else this.#waiting.add(namespace);
    return namespace;
  }

  #adoptParent(parent: Parent): void {
    catchUseErrors(parent, this.#runtime);
    const refuse = (call: string): never => {
      throw new SetupError(
        'IO_ROUTE_DYNAMIC',
        `${call} is not possible for a namespace by regular expression or function for now; name the namespaces one by one`,
      );
    };
    const createChild = parent.createChild.bind(parent);
    Object.assign(parent, {
      createChild: (name: string): SocketIoNamespace => {
        const child = createChild(name);
        if (this.#settings.init.cleanupEmptyChildNamespaces) keepForArrivals(child);
        return this.#isStarted ? removeCopies(child, parent) : child;
      },
      route: (event: string) => refuse(`route('${event}')`),
      routeUnmatched: () => refuse('routeUnmatched()'),
    });
  }

  /** Wraps a handler so that it returns the acknowledgement, as the options and the contract require. */
  #answering(handler: SocketHandler, { acknowledge = false }: RouteOptions, namespace: Namespace): SocketHandler {
    if (acknowledge) {
      return async ctx => {
        const value = await handler.call(ctx, ctx);
        return value === undefined || isChainable(value) ? null : value;
      };
    }
    if (this.#settings.acknowledge === 'return') return handler;
    return async ctx => {
      const value = await handler.call(ctx, ctx);
      return namespace.contract?.hasAck(ctx.packet?.[0]) ? value : undefined;
    };
  }

  /** Logs that a `next()` has failed which was called too late. */
  #lateFailureLog({ name }: Namespace): (what: string, thrown: unknown) => void {
    return (what, thrown) =>
      this.#runtime.failures.log({ level: 'error', what, namespace: name, socket: undefined, error: toError(thrown) });
  }

  #takeMiddleware(namespace: Namespace): void {
    const { name } = namespace;
    const settings = this.#settings.namespaces.get(name);
    if (!settings) return;
    const onLateFailure = this.#lateFailureLog(namespace);
    const find = (kind: 'connectionMiddleware' | 'packetMiddleware') =>
      settings[kind].map(name => {
        const source = this.#files.middleware(name, `config.io.namespace['${namespace.name}'].${kind}`);
        return { name, source, run: this.#files.toLayer(fileOf(name), source, onLateFailure) };
      });
    namespace.connectionMiddleware = find('connectionMiddleware').map(named);
    namespace.packetMiddleware = find('packetMiddleware').map(({ run }) => run);
  }
}
