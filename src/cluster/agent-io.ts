/** `agent.io`: Socket.IO's server in the agent. It has no clients of its own; its emits reach the clients of all workers. */
import { Server, type ServerOptions } from 'socket.io';
import { createAdapterFactory, createBackplane } from '../backplane/adapter';
import type { Backplane } from '../backplane/backplane';
import type { BroadcastTracer } from '../backplane/wrappers/trace-broadcasts';
import { Histories } from '../backplane/history';
import type { Settings } from '../config/settings';
import type { Contract } from '../contract/contract';
import { isContract } from '../contract/declaration';
import { isPattern } from '../contract/pattern';
import { Deprecations } from '../deprecated/deprecations';
import type { EggAgent } from '../egg';
import { ADMIN_EVENT } from '../protocol';
import { SetupError } from '../errors';
import { serverSpecimens } from '../internals/check';
import { checkInternals } from '../internals/members';
import { receiveFromServers } from '../internals/server-events';
import type { Streams } from '../store/streams';
import { HubBackplane } from './hub/hub-backplane';
import { streamsOf } from './streams';

interface Parts {
  /** The path of the hub's socket, if the backplane is the hub. */
  readonly hub: string | undefined;
  /** What the agent keeps of rooms with history, if it is to keep what it emits: here, or where the adapter does. */
  readonly streams?: Streams | undefined;
  /** Undefined if broadcasts have no spans. */
  readonly tracer?: BroadcastTracer | undefined;
}

export class AgentIo {
  readonly server: Server;
  readonly #backplane: Backplane | undefined;
  readonly #histories: Histories | undefined;

  constructor({ logger, baseDir }: EggAgent, settings: Settings, { hub, streams, tracer }: Parts) {
    checkInternals(serverSpecimens(), line => logger.warn(line));
    const { init, adapter } = settings;
    const backplane = createBackplane(adapter, {
      logger,
      baseDir,
      hub: hub === undefined ? undefined : () => new HubBackplane(hub, 'agent', logger, { isSendOnly: true }),
    });
    if (!backplane && !adapter) {
      const problem = 'agent.io has no way to the workers: config.io.cluster is false, or this is Windows; any adapter is one';
      throw new SetupError('IO_AGENT_ALONE', problem);
    }
    this.#backplane = backplane;
    // resolves when the workers can be reached, or at the time when a boot would stop waiting for that
    const opened = Promise.resolve(backplane?.ready()).catch((error: unknown) =>
      logger.error('[egg-socket.io] agent.io has no way to the workers:', error),
    );
    const histories = (this.#histories = streams && Histories.of(settings, true, () => (adapter ? streamsOf(backplane) : streams)));
    const create = createAdapterFactory(settings, { histories, backplane, deprecations: new Deprecations(logger), logger, opened, tracer });
    const parser = init.parser as object | undefined; // declared as any
    this.server = new Server({
      ...(parser && { parser }),
      adapter: create as unknown as NonNullable<ServerOptions['adapter']>, // typed as a class only
    });
    const of = this.server.of.bind(this.server);
    // as in the workers, whose type `agent.io` has
    Object.assign(this.server, {
      of: (...[given, onConnection]: Parameters<typeof of> | [Contract, Parameters<typeof of>[1]]) => {
        const name = isContract(given) ? given.namespace : given;
        if (typeof name === 'string' && isPattern(name))
          throw new SetupError('IO_PATTERN_LATE', `agent.io.of('${name}') is a pattern: name one of its namespaces`);
        return of(name, onConnection);
      },
    });
    // the adapter has added the methods to the namespace; Socket.IO's server lacks them
    const main = this.server.of('/');
    receiveFromServers(main, ADMIN_EVENT, (_question, reply) => reply?.(null)); // with most adapters it counts as a server
    for (const name of ['emitWithAck', 'user', 'exceptUser', 'history']) {
      const method = Reflect.get(main, name) as (...args: unknown[]) => unknown; // each has its own arguments
      Object.assign(this.server, { [name]: method.bind(main) });
    }
  }

  async close(): Promise<void> {
    await this.#backplane?.departure.leave(); // a server or worker that has ended may have handed over its clients to the agent
    for (const { adapter } of this.server._nsps.values()) await adapter.close(); // as a server does that closes: others count it no more
    await this.#backplane?.close();
    this.#histories?.close();
  }
}
