/** Adds routes and middleware to Socket.IO's namespaces and to parents, which decide about the clients of theirs. */
import type { Namespace as SocketIoNamespace, Server as SocketIoServer } from 'socket.io';
import type { Settings } from '../config/settings';
import type { Contract } from '../contract/contract';
import { isPattern, parsePattern } from '../contract/pattern';
import type { EggApplication } from '../egg';
import { SetupError } from '../errors';
import type { LoadedFiles } from '../loader/loader';
import { askParents } from '../path/accepting-parent';
import { openEntrance } from '../path/entrance';
import type { LoginRules } from '../path/login';
import { catchUseErrors, type ErrorMapper, Namespace, namespaceOf, type Pattern, patternOf } from '../path/namespace';
import { AbsentNamespace, detach, type Parent, Parents, refuseOperators, removeCopies } from '../path/parents';
import type { Runtime } from '../path/runtime';
import type { Presences } from '../presence/presences';
import { Children } from './children';
import { checkEmitsTo, Contracts } from './contracts';
import { createPresences } from './join-presence';
import { takeMiddleware } from './namespace-middleware';
import { RouteMethods } from './route-methods';

export class Namespaces {
  /** Who is in which room. Undefined before the server exists. */
  presences: Presences | undefined;
  readonly #app: EggApplication;
  readonly #routeMethods: RouteMethods;
  readonly #settings: Settings;
  readonly #files: LoadedFiles;
  readonly #runtime: Runtime;
  readonly #contracts: Contracts;
  /** The parents, in order. */
  readonly #patterns: Namespace[] = [];
  /** Namespaces that the app names while it starts. */
  readonly #named = new Set<Namespace>();
  #parents: Parents | undefined;
  #children: Children | undefined;
  /** Stands in for all that do not exist. Made for the first client that asks for one. */
  #absent: AbsentNamespace | undefined;
  #isLoaded = false;
  /** Whether the app is ready. Namespaces that are created from then on need the consent of a parent, if there are any. */
  #isStarted = false;

  constructor(app: EggApplication, settings: Settings, files: LoadedFiles, runtime: Runtime) {
    this.#app = app;
    this.#routeMethods = new RouteMethods(app, settings, files);
    this.#settings = settings;
    this.#files = files;
    this.#runtime = runtime;
    this.#contracts = new Contracts(settings.checkOutgoing, () => this.presences);
  }

  /** The contracts of all namespaces. */
  get contracts(): readonly Contract[] {
    return this.#contracts.all;
  }

  /** Creates the namespaces of the config. To be called once, when the server exists. */
  open(server: SocketIoServer): void {
    this.#parents = new Parents(server);
    this.presences = createPresences(this.#settings.namespaces, server);
    this.#children = new Children(server, this.#parents, this.#runtime.logger, this.#runtime.limits);
    const names = ['/', ...this.#settings.namespaces.keys()];
    for (const name of names) if (!isPattern(name)) server.of(name); // first, since a pattern may match them
    for (const name of names) if (isPattern(name)) server.of(name);
  }

  /** Those made on demand. Undefined before the server exists. */
  get children(): Children | undefined {
    return this.#children;
  }

  /** Resolves the names of middleware. To be called when the app has been loaded. */
  load(): void {
    this.#isLoaded = true;
    this.#app.ready(() => {
      this.#isStarted = true;
      this.#handOver();
    });
    for (const namespace of [...this.#named, ...this.#patterns]) takeMiddleware(namespace, this.#settings, this.#files);
  }

  /**
   * The parent of a pattern. Undefined for a plain name, and for a namespace of a client that has chosen such a name.
   * @param of creates a parent
   * @throws SetupError if the pattern is not valid, or the app has started: then the name may come from a user
   */
  ofPattern(server: SocketIoServer, given: string, of: (regExp: RegExp) => SocketIoNamespace): SocketIoNamespace | undefined {
    const name = given.startsWith('/') ? given : `/${given}`;
    if (!isPattern(name) || server._nsps.has(name)) return undefined;
    if (this.#isStarted) {
      const remedy = 'name it while the app starts, and keep what of() returns';
      throw new SetupError('IO_PATTERN_LATE', `of('${name}') is a pattern, and the app has started; ${remedy}`);
    }
    const known = this.#patterns.find(({ pattern }) => pattern?.name === name);
    if (known) return known.nsp;
    const regExp = parsePattern(name);
    const parent = of(regExp);
    this.#adoptParent(parent as Parent, { name, regExp }); // created by Socket.IO from a regular expression
    return parent;
  }

  /** Takes over a new namespace. @param given what the app has given to `of()` */
  adopt(nsp: SocketIoNamespace, given: unknown): void {
    if (namespaceOf(nsp)) return;
    const parent = this.#parents?.creatorOf(nsp.name);
    if (typeof given === 'function' || given instanceof RegExp)
      this.#adoptParent(nsp as Parent, patternOf(given)); // created by Socket.IO
    else if (parent) this.#adoptChild(nsp, parent);
    else this.#adoptNamed(nsp);
  }

  /** See `Contracts.namespaceOf`. */
  ofContract(contract: Contract, of: (name: string) => SocketIoNamespace): SocketIoNamespace {
    return this.#contracts.namespaceOf(contract, this.#isStarted, of);
  }

  /** To be called when a namespace has a new adapter. */
  takeAdapter(nsp: SocketIoNamespace): void {
    checkEmitsTo(nsp);
    this.presences?.observe(nsp);
  }

  /** A temporary replacement for a namespace that does not exist, while the parents are asked. Undefined if there are no parents. */
  standIn(server: SocketIoServer, name: string): SocketIoNamespace | undefined {
    if (!this.#parents || this.#parents.isEmpty || !name.startsWith('/')) return undefined;
    return (this.#absent ??= this.#standInFor(server)).named(name);
  }

  #standInFor(server: SocketIoServer): AbsentNamespace {
    const absent = new AbsentNamespace(server, 'made on demand');
    this.#adoptNamed(absent);
    return absent;
  }

  /** @param parent the one that creates it */
  #adoptNamed(nsp: SocketIoNamespace, parent?: Namespace): void {
    const isOnDemand = this.#isStarted || nsp instanceof AbsentNamespace || parent !== undefined;
    const namespace = this.#create(nsp);
    this.presences?.addTo(nsp);
    openEntrance(nsp, namespace);
    this.#routeMethods.addTo(nsp);
    this.#runtime.deprecations.addToNamespace(nsp);
    if (isOnDemand) this.#makeChild(namespace, parent);
    else {
      this.#named.add(namespace);
      if (this.#isLoaded) takeMiddleware(namespace, this.#settings, this.#files);
    }
  }

  /** @param parent the one whose pattern it matches */
  #makeChild(namespace: Namespace, parent: Namespace | undefined): void {
    if (!this.#parents) return;
    askParents(namespace, this.#parents, parent);
    checkEmitsTo(namespace.nsp);
    if (!this.#parents.isEmpty && !(namespace.nsp instanceof AbsentNamespace)) this.#children?.add(namespace.nsp);
  }

  /**
   * Gives the parents the namespaces that the app has only named while it started, for example to emit there: clients must not get past a guard.
   * To be called when the app has started.
   */
  #handOver(): void {
    for (const namespace of this.#named) {
      const { contract, isExtended, name, router } = namespace;
      if (name === '/' || contract || isExtended || !router.isEmpty || this.#settings.namespaces.has(name)) continue;
      const parent = this.#patterns.find(({ pattern }) => pattern?.regExp?.test(name));
      if (parent) this.#makeChild(namespace, parent);
    }
    this.#named.clear();
  }

  #create(nsp: SocketIoNamespace, pattern?: Pattern): Namespace {
    const namespace = new Namespace(this.#runtime, nsp, pattern);
    const settings = this.#settings.namespaces.get(namespace.name);
    const { auth, limits, onerror = this.#settings.onerror } = settings ?? this.#settings;
    // in users' types the context is Egg's, of which ours is a part
    namespace.errorMapper = onerror as ErrorMapper | undefined;
    namespace.loginRules = auth as LoginRules | undefined;
    namespace.limits = limits;
    namespace.handlerTimeout = this.#runtime.timeLimit(limits.handlerTimeout);
    return namespace;
  }

  #adoptParent(parent: Parent, pattern: Pattern): void {
    const namespace = this.#create(parent, pattern);
    this.#patterns.push(namespace);
    catchUseErrors(parent);
    this.#routeMethods.addTo(parent);
    refuseOperators(parent);
    if (this.#isLoaded) takeMiddleware(namespace, this.#settings, this.#files);
    this.#parents?.watch(parent, child => this.adopt(child, child.name));
  }

  /** A name comes from Socket.IO while the app starts, and then from clients too. */
  #adoptChild(child: SocketIoNamespace, parent: Parent): void {
    removeCopies(child, parent);
    if (!this.#isStarted) detach(child, parent);
    this.#adoptNamed(child, this.#isStarted ? namespaceOf(parent) : undefined);
  }
}
