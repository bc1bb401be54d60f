/** The plugin's lifecycle in the agent. */
import { AgentIo } from './cluster/agent-io';
import { Hub } from './cluster/hub/hub';
import { keepHandovers } from './cluster/handovers';
import { keepOutcomes } from './cluster/outcomes';
import { keepRates } from './cluster/rates';
import { RunFolder } from './cluster/run-folder';
import { keepStreams } from './cluster/streams';
import { JOIN_HUB, topologyOf } from './cluster/topology';
import { readPrometheus } from './config/prometheus';
import { readConfig, type Settings } from './config/settings';
import type { EggAgent } from './egg';
import { MemoryHandovers } from './store/memory-handovers';
import { MemoryStreams } from './store/memory-streams';
import { PrometheusPage } from './telemetry/prometheus';
import { tracersOf } from './telemetry/tracers';

export default class IoAgentBoot {
  readonly #agent: EggAgent;
  #folder: RunFolder | undefined;
  #hub: Hub | undefined;
  #io: AgentIo | undefined;
  #prometheus: PrometheusPage | undefined;
  /** What the agent keeps of rooms with history. */
  readonly #streams = new MemoryStreams();
  /** What workers that end leave for others. */
  readonly #handovers = new MemoryHandovers();

  constructor(agent: EggAgent) {
    this.#agent = agent;
  }

  /** The config is final. Defines `agent.io`, which costs nothing until it is used. */
  configDidLoad(): void {
    Object.defineProperty(this.#agent, 'io', { configurable: true, get: () => (this.#io ??= this.#openIo()).server });
  }

  /** Starts the hub. Egg starts the workers after the agent is ready, so the hub runs before them. */
  async willReady(): Promise<void> {
    await this.#openPrometheus();
    const { workers = 1 } = this.#agent.options;
    if (workers <= 1) return;
    const { routesSessions, usesHub } = topologyOf(this.#agent.options, this.#readSettings());
    if (routesSessions) this.#openFolder();
    if (usesHub) await this.#startHub();
    await this.#folder?.sweep();
  }

  async beforeClose(): Promise<void> {
    await this.#prometheus?.close();
    await this.#io?.close();
    await this.#hub?.close();
    this.#streams.close();
    this.#handovers.close();
    await this.#folder?.remove();
    await this.#folder?.sweep();
  }

  async #openPrometheus(): Promise<void> {
    const io = this.#agent.config.io as { readonly prometheus?: unknown } | undefined; // the workers check the rest, and stop the boot
    const settings = readPrometheus(io?.prometheus);
    if (!settings) return;
    this.#prometheus = new PrometheusPage(this.#agent, settings);
    await this.#prometheus.listen();
  }

  #openIo(): AgentIo {
    const settings = this.#readSettings();
    const { workers = 1 } = this.#agent.options;
    const isAlone = workers <= 1 && !settings.adapter;
    if (isAlone) this.#callSingleWorker();
    const usesHub = isAlone || topologyOf(this.#agent.options, settings).usesHub;
    const streams = isAlone ? undefined : this.#streams; // a single worker keeps what the agent emits, too
    const hub = usesHub ? this.#openFolder().hubSocket : undefined;
    const tracers = tracersOf(settings.tracing, this.#agent.baseDir, () => undefined); // the agent knows no patterns
    return new AgentIo(this.#agent, settings, { hub, streams, tracer: tracers?.broadcasts });
  }

  /** Starts a hub for a single worker, and tells the worker to join, and again each worker that replaces it. */
  #callSingleWorker(): void {
    const { messenger, logger } = this.#agent;
    const call = (): void => void messenger.sendToApp(JOIN_HUB);
    this.#startHub()
      .then(async () => {
        call();
        await this.#folder?.sweep();
      })
      .catch((error: unknown) => logger.error('[egg-socket.io] agent.io has no hub:', error));
    messenger.on('egg-pids', call);
  }

  async #startHub(): Promise<void> {
    if (!this.#hub) {
      this.#hub = new Hub(this.#agent.logger);
      keepOutcomes(this.#hub);
      keepStreams(this.#hub, this.#streams);
      keepRates(this.#hub, this.#agent.baseDir);
      keepHandovers(this.#hub, this.#handovers);
    }
    await this.#hub.listen(this.#openFolder().hubSocket);
  }

  #openFolder(): RunFolder {
    if (this.#folder) return this.#folder;
    const { config, options, logger } = this.#agent;
    const folder = (this.#folder = RunFolder.open(config.rundir, RunFolder.startOf(options.clusterPort)));
    if (folder.problem !== undefined)
      logger.info('[egg-socket.io] the sockets of the workers are in %s, since %s', folder.path, folder.problem);
    return folder;
  }

  #readSettings(): Settings {
    const { config, options } = this.#agent;
    return readConfig(config, options.workers ?? 1, () => {}); // the workers log the warnings
  }
}
