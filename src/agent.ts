/** The plugin's lifecycle in the agent, the process beside the workers: there is work for it only where there are several. */
import { readConfig } from './config';
import type { EggAgent } from './egg';
import { Hub } from './hub';
import { RunFolder } from './run-folder';
import { teamworkOf } from './workers';

export default class IoAgentBoot {
  readonly #agent: EggAgent;
  #folder: RunFolder | undefined;
  #hub: Hub | undefined;

  constructor(agent: EggAgent) {
    this.#agent = agent;
  }

  /** The workers start when the agent is ready: they find the hub. */
  async willReady(): Promise<void> {
    const { config, logger, options } = this.#agent;
    const { workers = 1, clusterPort } = options;
    if (workers <= 1) return;
    const { routesSessions, usesHub } = teamworkOf(
      options,
      readConfig(config.io, () => {}, config.redis), // the workers warn
    );
    if (routesSessions || usesHub) this.#folder = RunFolder.open(config.rundir, RunFolder.startOf(clusterPort));
    if (!usesHub || !this.#folder) return;
    this.#hub = new Hub(logger);
    await this.#hub.listen(this.#folder.hub);
  }

  async beforeClose(): Promise<void> {
    await this.#hub?.close();
    await this.#folder?.sweep();
  }
}
