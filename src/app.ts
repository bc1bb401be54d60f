/** The plugin's lifecycle in an app worker, in the order in which Egg calls it. */
import cluster from 'node:cluster';
import { readConfig } from './config/settings';
import type { EggApplication } from './egg';
import { Lifecycle } from './server/lifecycle';
import type { Server } from './server/server';
import { TeggControllers } from './tegg/controllers';
import { JOIN_HUB } from './cluster/topology';

export default class IoBoot {
  readonly #app: EggApplication & { io?: Server };
  #lifecycle: Lifecycle | undefined;
  #teggControllers: TeggControllers | undefined;

  constructor(app: EggApplication) {
    this.#app = app;
  }

  /** tegg's plugins have been created, and load nothing yet. */
  configWillLoad(): void {
    this.#teggControllers = new TeggControllers(this.#app);
  }

  /** The config is final. Creates `app.io`. */
  configDidLoad(): void {
    const app = this.#app;
    const settings = readConfig(app.config, app.options.workers ?? 1, message => app.logger.warn(message));
    this.#lifecycle = new Lifecycle(app, settings);
    app.io = this.#lifecycle.server;
    this.#teggControllers?.explainErrors();
  }

  /** A single worker joins the hub when the agent starts one, on the first use of `agent.io`. */
  didLoad(): void {
    this.#app.messenger.on(JOIN_HUB, () => this.#lifecycle?.joinHub());
  }

  /** The app has been loaded: middleware, controllers, routes, other plugins. */
  async willReady(): Promise<void> {
    await this.#teggControllers?.addRoutes();
    await this.#lifecycle?.ready();
    cluster.worker?.once('disconnect', this.#retire);
  }

  /** After an uncaught exception, Egg disconnects the worker from its master, but ends it only 30 s later. */
  readonly #retire = (): void => {
    this.#app.logger.info(
      '[egg-socket.io] this worker has lost its master: its connections are closed, and clients reconnect to other workers',
    );
    void this.#lifecycle?.retire();
  };

  async beforeClose(): Promise<void> {
    cluster.worker?.off('disconnect', this.#retire);
    await this.#lifecycle?.shutDown();
    this.#teggControllers?.close();
  }
}
