/** `agent.io`: Socket.IO's server in the agent. It has no clients of its own; what it emits reaches those of all workers. */
import { type Namespace, Server, type ServerOptions } from 'socket.io';
import type { Adapter } from 'socket.io-adapter';
import { createAdapterFactory, createBackplane } from '../backplane/adapter';
import type { Backplane } from '../backplane/backplane';
import type { Settings } from '../config/settings';
import { Deprecations } from '../deprecations';
import type { EggAgent } from '../egg';
import { SetupError } from '../errors';
import { HubBackplane } from './hub/hub-backplane';

/** All methods with which an adapter reaches other processes. */
const REMOTE_METHODS = [
  'addSockets',
  'broadcast',
  'broadcastWithAck',
  'delSockets',
  'disconnectSockets',
  'fetchSockets',
  'serverCount',
  'serverSideEmit',
] as const;

export class AgentIo {
  readonly server: Server;
  readonly #backplane: Backplane | undefined;
  /** Resolves when the workers can be reached, or when a boot would stop waiting for that. */
  readonly #opened: Promise<void>;
  #isOpen = false;

  /** @param hub the path of the hub's socket, if the backplane is the hub */
  constructor({ logger, baseDir }: EggAgent, settings: Settings, hub: string | undefined) {
    const { init, adapter } = settings;
    const backplane =
      hub === undefined ? createBackplane(adapter, init, logger, baseDir) : new HubBackplane(hub, 'agent', logger, { onlySpeaks: true });
    if (!backplane && !adapter) {
      const problem = 'agent.io has no way to the workers: config.io.cluster is false, or this is Windows; any adapter is one';
      throw new SetupError('IO_AGENT_ALONE', problem);
    }
    this.#backplane = backplane;
    this.#opened = Promise.resolve(backplane?.ready())
      .catch((error: unknown) => logger.error('[egg-socket.io] agent.io has no way to the workers:', error))
      .then(() => void (this.#isOpen = true));
    const create = createAdapterFactory(init, adapter, backplane, new Deprecations(logger));
    const parser = init.parser as object | undefined; // declared as any
    this.server = new Server({
      ...(parser && { parser }),
      adapter: this.#deferUntilOpen(create) as unknown as NonNullable<ServerOptions['adapter']>, // typed as a class only
    });
    // the namespace has got it with its adapter; Socket.IO's server does not know of it
    Object.assign(this.server, { emitWithAck: Reflect.get(this.server.of('/'), 'emitWithAck') as unknown });
  }

  async close(): Promise<void> {
    await this.#backplane?.close();
  }

  /** Calls that need the workers are made when these can be reached. */
  #deferUntilOpen(create: (this: void, nsp: Namespace) => Adapter): (nsp: Namespace) => Adapter {
    const whenOpen = (call: () => unknown): unknown => (this.#isOpen ? call() : this.#opened.then(call));
    return function (nsp) {
      const adapter = create(nsp);
      for (const name of REMOTE_METHODS) {
        const method = adapter[name];
        Object.assign(adapter, { [name]: (...args: unknown[]) => whenOpen(() => Reflect.apply(method, adapter, args) as unknown) });
      }
      return adapter;
    };
  }
}
