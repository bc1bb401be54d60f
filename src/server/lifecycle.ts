/** How the server of a worker starts and stops, and the ways on which requests and broadcasts come to it. */
import type { Server as HttpServer } from 'node:http';
import type { Server as EngineServer } from 'engine.io';
import type { ServerOptions } from 'socket.io';
import { createAdapterFactory, createBackplane } from '../backplane/adapter';
import type { Backplane } from '../backplane/backplane';
import { formerSocketOf } from '../backplane/wrappers/recovery';
import { HubBackplane } from '../cluster/hub/hub-backplane';
import { HubReceiver } from '../cluster/hub/hub-receiver';
import { SessionRouting } from '../cluster/routing/session-routing';
import { RunFolder } from '../cluster/run-folder';
import { attachWhenFound } from '../cluster/single-process';
import { ownWorkerId, type Topology, topologyOf } from '../cluster/topology';
import type { Settings } from '../config/settings';
import { guardDecoder } from '../decoder';
import type { EggApplication } from '../egg';
import { safeCors } from '../handshake/cors';
import { Ids } from '../handshake/ids';
import { explainTooLarge } from '../handshake/message-size';
import { OriginCheck } from '../handshake/origin';
import { findWsEngine } from '../handshake/websocket-engine';
import { LoadedFiles } from '../loader/loader';
import { Namespaces } from './namespaces';
import { Runtime } from '../path/runtime';
import { Server } from './server';
import { closeInOrder } from './shutdown';
import { checkInternals, makeSpecimens } from '../internals/check';
import { CorkedWebSocketServer, webSocketSpecimens } from '../handshake/corked-websocket';

const lifecycles = new WeakMap<Server, Lifecycle>();

/** That of a server: nothing internal is a property of `app.io`. */
export function lifecycleOf(server: Server): Lifecycle | undefined {
  return lifecycles.get(server);
}

export class Lifecycle {
  readonly server: Server;
  readonly runtime: Runtime;
  readonly ids: Ids;
  readonly #app: EggApplication;
  readonly #settings: Settings;
  readonly #files: LoadedFiles;
  readonly #namespaces: Namespaces;
  readonly #topology: Topology;
  readonly #originCheck: OriginCheck;
  readonly #sessionRouting: SessionRouting | undefined;
  #backplane: Backplane | undefined;
  #engine: EngineServer | undefined;
  /** Settles when all connections have been closed. */
  #retiring: Promise<void> | undefined;
  /** In a single process: ends the search for its HTTP server. */
  #stopLooking: (() => void) | undefined;

  /** Makes the server. It has no clients until it is attached to an HTTP server. */
  constructor(app: EggApplication, settings: Settings) {
    const { init } = settings;
    const { baseDir, logger } = app;
    this.#app = app;
    this.#settings = settings;
    this.ids = new Ids(settings.generateId, logger, formerSocketOf);
    this.runtime = new Runtime(app, { ids: this.ids, canRecover: Boolean(init.connectionStateRecovery) });
    this.#files = new LoadedFiles(app);
    this.#namespaces = new Namespaces(app, settings, this.#files, this.runtime);
    this.#originCheck = new OriginCheck(app, init);
    this.#topology = topologyOf(app.options, settings);
    const wsEngine = findWsEngine(init.wsEngine, baseDir);
    checkInternals(wsEngine === CorkedWebSocketServer ? [...makeSpecimens(), ...webSocketSpecimens()] : makeSpecimens(), line =>
      logger.warn(line),
    );
    const { routesSessions, usesHub } = this.#topology;
    const folder = routesSessions || usesHub ? folderOf(app) : undefined;
    if (routesSessions && folder) this.#sessionRouting = new SessionRouting(ownWorkerId(), folder, logger);
    // what throws before it leaves nothing open
    this.#backplane = createBackplane(settings.adapter, {
      logger,
      baseDir,
      hub: usesHub && folder ? () => new HubBackplane(folder.hubSocket, ownWorkerId(), logger) : undefined,
    });
    let server: Server;
    try {
      server = new Server({
        options: {
          ...init,
          // oxlint-disable-next-line typescript/no-unsafe-assignment -- declared as any; an engine that is none shows when Engine.IO makes it
          wsEngine: wsEngine as NonNullable<ServerOptions['wsEngine']>,
          allowRequest: this.#originCheck.allowRequest,
          ...(init.cors && { cors: safeCors(init.cors) }),
          adapter: createAdapterFactory(settings, { backplane: this.#backplane, deprecations: this.runtime.deprecations }),
        },
        runtime: this.runtime,
        files: this.#files,
        namespaces: this.#namespaces,
        onEngine: engine => this.#attach(engine),
      });
    } catch (error) {
      void this.#backplane?.close(); // an adapter may lack what it is used for
      throw error;
    }
    // read-only to others, and used for each client that comes
    Reflect.set(
      server,
      '_parser',
      guardDecoder(server._parser, () => this.runtime.refusals.warnOfNesting()),
    );
    this.runtime.deprecations.ofServer(server);
    this.server = server;
    lifecycles.set(server, this);
  }

  /** Resolves names and joins the others. To be called when the app has been loaded. */
  async ready(): Promise<void> {
    const { logger } = this.#app;
    this.runtime.load(this.#app);
    void this.#files.controllers; // what is wrong there stops the boot, routed or not
    void this.#files.middlewares;
    this.#namespaces.load();
    this.#files.warnOfEmptyFiles();
    logger.info('[egg-socket.io] %s', this.#topology.description);
    const { warning } = this.#topology;
    if (warning !== undefined) logger.warn(warning);
    await this.#sessionRouting?.listen();
    await this.#backplane?.ready();
  }

  /**
   * A worker that is alone joins the hub when the agent begins to emit. Its namespaces keep their adapters in memory, which register no receivers:
   * the receiver is made for each message, so nothing is kept for namespaces that come and go.
   */
  joinHub(): void {
    if (this.#backplane || this.#settings.adapter || this.runtime.isRetiring) return;
    const backplane: HubBackplane = new HubBackplane(folderOf(this.#app).hubSocket, ownWorkerId(), this.#app.logger, {
      receiverOf: name => {
        const nsp = this.server._nsps.get(name);
        return nsp && new HubReceiver(nsp, backplane.peers, nsp.adapter);
      },
    });
    this.#backplane = backplane;
  }

  /** Attaches to the app's HTTP server, now or as soon as there is one. */
  awaitHttpServer(): void {
    const app = this.#app;
    // when tests start an app, there may be a server by now, and the event has passed
    if (app.server) this.server.attach(app.server);
    else {
      if (app.options.mode === 'single') this.#stopLooking = attachWhenFound(app, this.server, app.logger);
      app.once('server', (server: HttpServer) => this.server.attach(server));
    }
  }

  /** Takes nothing new, and closes all connections in order: their clients connect again elsewhere. */
  async retire(): Promise<void> {
    this.runtime.retire();
    if (this.#engine) {
      this.#retiring ??= closeInOrder({
        server: this.server,
        engine: this.#engine,
        inFlight: this.runtime.inFlight,
        sessionRouting: this.#sessionRouting,
        logger: this.#app.logger,
      });
    }
    await this.#retiring;
  }

  /** Closes in order all that there is, the HTTP server included. */
  async shutDown(): Promise<void> {
    this.#stopLooking?.();
    await this.retire();
    this.#sessionRouting?.close();
    this.#originCheck.close();
    this.runtime.flush();
    await this.#backplane?.close();
  }

  #attach(engine: EngineServer): void {
    this.#engine = engine;
    this.#stopLooking?.();
    this.ids.attach(engine);
    this.#originCheck.attach(engine);
    explainTooLarge(engine, problem => this.runtime.refusals.warnOfSize(problem));
    this.#sessionRouting?.attach(engine);
  }
}

/** Where the processes of this start of the app meet. */
function folderOf({ config, options }: EggApplication): RunFolder {
  return RunFolder.open(config.rundir, RunFolder.startOf(options.clusterPort));
}
