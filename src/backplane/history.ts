/** Which namespaces have rooms with history, and where the events of these are kept. */
import type { Namespace } from 'socket.io';
import type { Settings } from '../config/settings';
import { isPattern, parsePattern } from '../contract/pattern';
import { SetupError } from '../errors';
import { History } from '../store/history';
import type { Streams } from '../store/streams';
import { PacketCodec } from './packet-codec';

/** The adapters whose backend keeps the events. */
const KEEPERS: ReadonlySet<string> = new Set(['redis', 'redis-sharded', 'redis-streams', 'postgres']);

export class Histories {
  readonly #namespaces: Settings['namespaces'];
  readonly #create: () => Streams;
  #streams: Streams | undefined;

  private constructor(namespaces: Settings['namespaces'], create: () => Streams) {
    this.#namespaces = namespaces;
    this.#create = create;
  }

  /**
   * Undefined if no room has a history.
   * @param isShared whether this process has all clients, or there is a place that all workers can reach
   * @param create the place, with the first namespace that needs it
   * @throws SetupError if there is no place for the events that all processes can reach
   */
  static of(
    { namespaces, adapter }: Pick<Settings, 'namespaces' | 'adapter'>,
    isShared: boolean,
    create: () => Streams,
  ): Histories | undefined {
    const [name] = [...namespaces].find(([, { history }]) => history) ?? [];
    if (name === undefined) return undefined;
    const refuse = (problem: string): never => {
      throw new SetupError(
        'IO_STORE_MISSING',
        `config.io.namespace['${name}'].history: ${problem}, or use an adapter for Redis or PostgreSQL`,
      );
    };
    if (adapter && !KEEPERS.has(adapter.name))
      return refuse(`${nameOf(adapter.name)} keeps no events of rooms; run the app on one machine without an adapter`);
    if (!adapter && !isShared)
      return refuse('the workers have no common place for events, since config.io.cluster is false, or this is Windows; run one worker');
    return new Histories(namespaces, create);
  }

  /** Gives a namespace its history, if its config has one. To be called before its adapter is wrapped. */
  addTo(nsp: Namespace): void {
    const settings =
      this.#namespaces.get(nsp.name) ?? [...this.#namespaces].find(([name]) => isPattern(name) && parsePattern(name).test(nsp.name))?.[1];
    const history = settings?.history;
    if (!history) return;
    const codec = new PacketCodec(nsp);
    void new History(nsp, history, (this.#streams ??= this.#create()), content => codec.decode(content).data as unknown[]); // an event has an array
  }

  close(): void {
    this.#streams?.close();
  }
}

function nameOf(adapter: string): string {
  return adapter === 'own' ? 'an adapter of your own' : `the adapter '${adapter}'`;
}
