/** Starts and stops a worker's server, and connects it to the HTTP server, the other workers and other servers. */
import type { Server as EngineServer } from 'engine.io';
import type { ServerOptions } from 'socket.io';
import { createAdapterFactory, createBackplane } from '../backplane/adapter';
import type { Backplane } from '../backplane/backplane';
import { Histories } from '../backplane/history';
import { formerSocketOf, startAnew } from '../backplane/wrappers/recovery';
import { HubBackplane } from '../cluster/hub/hub-backplane';
import { HubReceiver } from '../cluster/hub/hub-receiver';
import { SessionRouting } from '../cluster/routing/session-routing';
import { shareRates } from '../cluster/rates';
import { streamsOf } from '../cluster/streams';
import { folderOf, logTopology, ownWorkerId, type Topology, topologyOf } from '../cluster/topology';
import type { Settings } from '../config/settings';
import { guardDecoder } from '../protocol';
import type { EggApplication } from '../egg';
import { safeCors } from '../handshake/cors';
import { Handshakes } from '../handshake/handshakes';
import { Ids } from '../handshake/ids';
import { findWsEngine, specimensOf } from '../handshake/websocket-engine';
import { Limits } from '../limits/limits';
import { LoadedFiles } from '../loader/loader';
import { ownLogger } from '../own-logger';
import { openEngine } from './engine';
import { joinOthers } from './join-others';
import { Drain } from './drain';
import { serveHealth } from './health';
import { attachToHttpServer } from './http-server';
import { Namespaces } from './namespaces';
import { servePages } from './pages';
import { DirectEvents } from '../path/direct-events';
import { namespaceOf } from '../path/namespace';
import { Reannouncement } from '../path/room-positions';
import { Runtime } from '../path/runtime';
import { adminUiOf } from './admin-ui';
import { openControls } from './controls';
import { Server } from './server';
import { closeInOrder } from './shutdown';
import { makeSpecimens } from '../internals/check';
import { checkInternals } from '../internals/members';
import { serverInternals } from '../internals/socket-io';
import { type Metrics, openMetrics } from '../telemetry/metrics';
import { tracersOf } from '../telemetry/tracers';

const lifecycles = new WeakMap<object, Lifecycle>();

/** The lifecycle of a server. In a WeakMap, so that `app.io` has no internal properties. */
export function lifecycleOf(server: object): Lifecycle | undefined {
  return lifecycles.get(server);
}

export class Lifecycle {
  readonly server: Server;
  readonly runtime: Runtime;
  readonly ids: Ids;
  readonly namespaces: Namespaces;
  readonly #app: EggApplication;
  readonly #settings: Settings;
  readonly #files: LoadedFiles;
  readonly #topology: Topology;
  readonly #handshakes: Handshakes;
  readonly #drain: Drain;
  readonly #sessionRouting: SessionRouting | undefined;
  readonly #histories: Histories | undefined;
  readonly #metrics: Metrics | undefined;
  readonly #reannouncement = new Reannouncement(() => this.server._nsps.values());
  readonly #setUpAdminUi: ((server: Server) => void) | undefined;
  #backplane: Backplane | undefined;
  /** One for each HTTP server. */
  readonly #engines: EngineServer[] = [];
  /** Settles when all connections have been closed. */
  #retiring: Promise<void> | undefined;
  /** In a single process, ends the search for its HTTP server. */
  #stopLooking: (() => void) | undefined;

  /** Creates the server. It has no clients until it is attached to an HTTP server. */
  constructor(app: EggApplication, settings: Settings) {
    const { init, unmatched, tracing } = settings;
    const logger = ownLogger(app);
    this.#app = app;
    this.#settings = settings;
    this.ids = new Ids(settings.generateId, logger, formerSocketOf);
    const limits = new Limits(settings.limits, logger, app.baseDir);
    const tracers = tracersOf(tracing, app.baseDir, nsp => namespaceOf(nsp)?.kind);
    this.runtime = new Runtime(app, { ids: this.ids, init, limits, tracer: tracers?.path, unmatched, startAnew });
    this.#files = new LoadedFiles(app);
    this.namespaces = new Namespaces(app, settings, this.#files, this.runtime);
    this.#handshakes = new Handshakes(app, settings, limits);
    this.#topology = topologyOf(app.options, settings);
    const wsEngine = findWsEngine(init.wsEngine, app.baseDir);
    checkInternals([...makeSpecimens(), ...specimensOf(wsEngine)], line => logger.warn(line));
    const { routesSessions, usesHub } = this.#topology;
    const folder = routesSessions || usesHub ? folderOf(app) : undefined;
    if (routesSessions && folder) this.#sessionRouting = new SessionRouting(ownWorkerId(), folder, logger, limits.settings.connections);
    this.#drain = new Drain(settings.drain, { app, runtime: this.runtime, sessionRouting: this.#sessionRouting, engines: this.#engines });
    this.#setUpAdminUi = settings.adminUi && adminUiOf(settings.adminUi, settings.namespaces, app);
    if (settings.health !== false) serveHealth(app, settings.health, () => this.#drain.isReady);
    this.#histories = Histories.of(settings, usesHub || (app.options.workers ?? 1) <= 1, () => streamsOf(this.#backplane));
    // last of what may throw, so that an error leaves nothing open
    const hub = usesHub && folder ? () => new HubBackplane(folder.hubSocket, ownWorkerId(), logger) : undefined;
    this.#backplane = createBackplane(settings.adapter, { logger, baseDir: app.baseDir, hub });
    shareRates(limits.addresses, this.#backplane, logger);
    openControls(this.runtime, this.#backplane, settings, app.options.workers);
    const metrics = (this.#metrics = openMetrics(app, settings, this.runtime, () => ({ server: this.server, backplane: this.#backplane })));
    const parts = { backplane: this.#backplane, histories: this.#histories, deprecations: this.runtime.deprecations, limits, logger };
    let server: Server;
    try {
      server = new Server({
        options: {
          ...init,
          ...(this.runtime.recovery && { connectionStateRecovery: this.runtime.recovery }),
          // oxlint-disable-next-line typescript/no-unsafe-assignment -- declared as any; Engine.IO fails at once if it is not an engine
          wsEngine: wsEngine as NonNullable<ServerOptions['wsEngine']>,
          allowEIO3: Boolean(init.allowEIO3),
          allowRequest: this.#handshakes.allowRequest,
          ...(init.cors && { cors: safeCors(init.cors) }),
          adapter: createAdapterFactory(settings, { ...parts, onPublish: metrics?.onPublish, tracer: tracers?.broadcasts }),
        },
        runtime: this.runtime,
        files: this.#files,
        namespaces: this.namespaces,
        onEngine: (engine, bind) => this.#attach(engine, bind),
        drain: this.#drain,
      });
    } catch (error) {
      void this.#backplane?.close(); // the adapter may lack a required member
      throw error;
    }
    this.runtime.directEvents = DirectEvents.of(server._parser);
    serverInternals(server)._parser = guardDecoder(server._parser, this.runtime.limits); // used for each new client
    this.runtime.deprecations.addToServer(server);
    this.server = server;
    lifecycles.set(server, this);
  }

  /** Resolves the names of controllers and middleware, joins the other workers and servers, and awaits clients. To be called when the app has been loaded. */
  async ready(): Promise<void> {
    this.runtime.load(this.#app, { ...this.#settings, addressOf: this.#handshakes.addressOf, metrics: this.#metrics });
    this.namespaces.load();
    this.#files.check();
    await servePages(this.#app, this.#settings, this, { handshakes: this.#handshakes, engines: this.#engines });
    logTopology(this.#topology, this.runtime.logger);
    await this.#sessionRouting?.listen();
    await this.#backplane?.ready();
    if (this.#histories) this.#backplane?.onReachable(() => this.#reannouncement.begin());
    if (this.#backplane ?? this.#settings.adapter) joinOthers(this, this.#backplane);
    this.#stopLooking = attachToHttpServer(this.#app, this.server);
  }

  /**
   * Joins the hub that the agent has started for a single worker, on the first use of `agent.io`. The namespaces keep their adapters in memory,
   * which register no receivers: a receiver is created for each message, so that nothing is kept for namespaces that come and go.
   */
  joinHub(): void {
    if (this.#backplane || this.#settings.adapter || this.runtime.isRetiring) return;
    const backplane: HubBackplane = new HubBackplane(folderOf(this.#app).hubSocket, ownWorkerId(), this.runtime.logger, {
      receiverOf: name => {
        const nsp = this.server._nsps.get(name);
        return nsp && new HubReceiver(nsp, backplane.peers, nsp.adapter);
      },
    });
    this.#backplane = backplane;
  }

  /** Accepts nothing new, and closes all connections in order. Their clients connect again to another worker. @param isDrained see `Closing` */
  async retire(isDrained = false): Promise<void> {
    this.runtime.retire();
    this.namespaces.children?.close();
    const { server, runtime } = this;
    const parts = { engines: this.#engines, sessionRouting: this.#sessionRouting, departure: this.#backplane?.departure };
    if (this.#engines.length > 0) this.#retiring ??= closeInOrder({ server, runtime, ...parts, isDrained });
    await this.#retiring;
  }

  /** Closes everything in order, including the HTTP server. */
  async shutDown(): Promise<void> {
    this.#stopLooking?.();
    const draining = this.#drain.finish();
    if (draining) await draining;
    await this.retire(draining !== undefined);
    this.#sessionRouting?.close();
    this.#handshakes.close();
    this.runtime.flush();
    this.#metrics?.close();
    this.namespaces.presences?.close();
    await this.#backplane?.close();
    this.#reannouncement.close();
    this.#histories?.close();
  }

  #attach(engine: EngineServer, bind: () => void): void {
    this.#engines.push(engine);
    this.#stopLooking?.();
    const parts = { ids: this.ids, handshakes: this.#handshakes, runtime: this.runtime, sessionRouting: this.#sessionRouting };
    openEngine(engine, this.server.path(), { ...parts, hasOwnParser: Boolean(this.#settings.init.parser), bind });
    if (this.#engines.length === 1) this.#setUpAdminUi?.(this.server); // with more, it would be there twice
  }
}
