/** `agent.io`: Socket.IO's server in the agent. It has no clients; what it emits reaches those of all workers. */
import { type Namespace, Server, type ServerOptions } from 'socket.io';
import type { Adapter } from 'socket.io-adapter';
import { createAdapterFactory, createBackplane } from '../backplane/adapter';
import type { Backplane } from '../backplane/backplane';
import type { Settings } from '../config/settings';
import { Deprecations } from '../deprecations';
import type { EggAgent } from '../egg';
import { SetupError } from '../errors';
import { HubBackplane } from './hub/hub-backplane';

export class AgentIo {
  readonly server: Server;
  readonly #backplane: Backplane | undefined;
  /** Resolves when the backplane is open, or after the time that a boot would wait for it. */
  readonly #opened: Promise<void>;
  #isOpen = false;

  /** @param hub the path of the hub's socket, where the backplane is the hub */
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
      adapter: this.#waitingAdapters(create) as unknown as NonNullable<ServerOptions['adapter']>, // typed as a class only
    });
    // the namespace has got it with its adapter; Socket.IO's server does not know of it
    Object.assign(this.server, { emitWithAck: Reflect.get(this.server.of('/'), 'emitWithAck') as unknown });
  }

  async close(): Promise<void> {
    await this.#backplane?.close();
  }

  /** What is said before the backplane is open waits for it. */
  #waitingAdapters(create: (this: void, nsp: Namespace) => Adapter): (nsp: Namespace) => Adapter {
    const wait = (call: () => unknown): unknown => (this.#isOpen ? call() : this.#opened.then(call));
    return function (nsp) {
      const adapter = create(nsp);
      for (const name of SAID) {
        const method = adapter[name];
        Object.assign(adapter, { [name]: (...args: unknown[]) => wait(() => Reflect.apply(method, adapter, args) as unknown) });
      }
      return adapter;
    };
  }
}

/** All by which an adapter reaches others. */
const SAID = [
  'addSockets',
  'broadcast',
  'broadcastWithAck',
  'delSockets',
  'disconnectSockets',
  'fetchSockets',
  'serverCount',
  'serverSideEmit',
] as const;
