/** The adapter of a namespace: Socket.IO's adapter for clusters, with PostgreSQL for its messages. */
import type { Namespace } from 'socket.io';
import { ClusterAdapterWithHeartbeat, type ClusterMessage, type ClusterResponse } from 'socket.io-adapter';
import { ignoreClock } from '../last-heard';
import type { Message } from './messages';

interface Transport {
  publish(message: Message): void;
  /** Called when the namespace is gone. */
  onClose(adapter: PostgresAdapter): void;
}

export class PostgresAdapter extends ClusterAdapterWithHeartbeat {
  readonly #transport: Transport;

  constructor(nsp: Namespace, options: object, transport: Transport) {
    super(nsp, options);
    ignoreClock(this);
    this.#transport = transport;
  }

  get name(): string {
    return (this.nsp as Namespace).name; // declared as any
  }

  /** The sender's id in its messages. */
  get id(): string {
    return this.uid;
  }

  receive(message: Message): void {
    this.onMessage(message as ClusterMessage); // a wrapper validates it
  }

  override close(): void {
    super.close(); // publishes that this server has gone
    this.#transport.onClose(this);
  }

  protected async doPublish(message: ClusterMessage): Promise<string> {
    this.#transport.publish(message);
    return Promise.resolve(''); // there is no recovery
  }

  protected async doPublishResponse(_requester: string, response: ClusterResponse): Promise<void> {
    this.#transport.publish(response);
    return Promise.resolve();
  }
}
