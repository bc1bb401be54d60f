/** The hub as the backplane: a worker's connection to it, which all namespaces share, and those who are at the other end. */
import { createConnection, type Socket } from 'node:net';
import { Backplane } from '../../backplane/backplane';
import type { AdapterFactory } from '../../config/options';
import type { Logger } from '../../egg';
import { HubAdapter } from './hub-adapter';
import { controlFrame, eachFrame, FrameReader, HUB, type Notice } from './hub-frames';
import { HubOutbox } from './hub-outbox';
import { HubPeers, type Receiver } from './hub-peers';

/** How long the boot waits for the hub, in ms. Without it the app starts all the same, and joins the others later. */
const BOOT_TIMEOUT = 2000;

/** Time between two attempts to connect, in ms. To find no file, or nobody who listens, costs next to nothing. */
const RETRY_DELAY = 100;

/** Age of a hub in ms from which on the workers that it does not know count as gone: the others have had time to come back to it. */
const SETTLING_TIME = 500;

/** Time in ms for the hub to take what is still to be sent when the backplane closes. */
const CLOSE_TIMEOUT = 1000;

interface HubOptions {
  readonly onlySpeaks?: boolean;
  readonly receiverOf?: (nsp: string) => Receiver | undefined;
}

export class HubBackplane extends Backplane {
  readonly createAdapter: AdapterFactory;
  readonly localTimeout = 50;
  readonly peers: HubPeers;
  readonly #path: string;
  readonly #workerName: string;
  readonly #onlySpeaks: boolean;
  /** The names of those who were there before the hub went, and are not back yet. */
  readonly #missing = new Set<string>();
  #socket: Socket | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;
  #lastError: Error = new Error('it has not answered');

  /**
   * @param workerName tells this worker from the others, in the log and when the hub comes back
   * @param onlySpeaks whether there are no clients here, and so nothing to be told, as in the agent: then it is complete with the first worker
   * @param receiverOf finds the receiver of a namespace. Default: the one that its adapter has registered
   */
  constructor(path: string, workerName: string, logger: Logger, { onlySpeaks = false, receiverOf }: HubOptions = {}) {
    super({ name: 'the hub', peers: 'workers', code: 'IO_HUB_DOWN', logger });
    this.peers = new HubPeers(this, receiverOf);
    this.#path = path;
    this.#workerName = workerName;
    this.#onlySpeaks = onlySpeaks;
    this.createAdapter = adaptersOf(this);
    this.#connect();
  }

  /** What the agent says before the workers are there waits for them: see AgentIo. */
  get isReachable(): boolean {
    return this.peers.isComplete || (this.#onlySpeaks && !this.isDown);
  }

  /** Resolves when the hub is there and all its workers are known, or when the boot should not wait any longer. */
  async ready(): Promise<void> {
    const timer = setTimeout(() => this.#goDown(), BOOT_TIMEOUT);
    await this.opened;
    clearTimeout(timer);
  }

  /** Sends what is still to be sent, and leaves. */
  protected disconnect(): void {
    this.#isClosed = true;
    this.peers.close();
    this.#forgetPeers();
    if (this.#socket) leave(this.#socket);
  }

  #connect(): void {
    const socket = createConnection(this.#path);
    const reader = new FrameReader();
    this.#socket = socket;
    socket.on('connect', () => socket.write(controlFrame(HUB, { name: this.#workerName, onlySpeaks: this.#onlySpeaks }).bytes[0] ?? ''));
    socket.on('data', chunk => {
      try {
        for (const run of reader.read(chunk)) eachFrame(run, (from, content) => this.#receive(socket, from, content));
      } catch (error) {
        this.#lastError = error as Error; // a RangeError of the reader
        socket.destroy();
      }
    });
    socket.on('error', error => (this.#lastError = error));
    socket.on('close', () => this.#reconnect());
  }

  #reconnect(): void {
    if (this.#isClosed) return;
    const wasComplete = this.peers.isComplete;
    this.#forgetPeers();
    if (wasComplete) this.#goDown();
    this.#timer = setTimeout(() => this.#connect(), RETRY_DELAY).unref();
  }

  #forgetPeers(): void {
    clearTimeout(this.#timer);
    for (const name of this.peers.names) this.#missing.add(name);
    this.peers.clear();
  }

  #receive(socket: Socket, from: number, content: Buffer): void {
    if (this.#isClosed) return;
    const fail = (error: unknown): void => this.inbox.fail(String(from), error); // it is nothing to the messages after it
    try {
      if (from === HUB)
        this.#onNotice(JSON.parse(content.toString()) as Notice, socket); // the hub's side of this plugin has written it
      else this.peers.receive(from, content)?.catch(fail);
    } catch (error) {
      fail(error);
    }
  }

  #onNotice(notice: Notice, socket: Socket): void {
    switch (notice.type) {
      case 'welcome':
        this.logger.debug('[egg-socket.io] joined the hub as number %d; it has %d other workers', notice.number, notice.peers.length);
        this.peers.open(new HubOutbox(socket, notice.number, this.logger));
        this.#timer = setTimeout(() => this.#complete(), Math.max(0, SETTLING_TIME - notice.age)).unref();
        for (const [number, name] of notice.peers) this.#addPeer(number, name);
        break;
      case 'joined':
        this.logger.debug('[egg-socket.io] worker %s has joined the hub', notice.name);
        this.#addPeer(notice.number, notice.name);
        break;
      case 'left': {
        const name = this.peers.remove(notice.number);
        if (name !== undefined) this.logger.debug('[egg-socket.io] worker %s has left the hub', name);
      }
    }
  }

  #addPeer(number: number, name: string): void {
    this.peers.add(number, name);
    const isBack = this.#missing.delete(name);
    if ((isBack || this.#onlySpeaks) && this.#missing.size === 0) this.#complete();
  }

  /** All who are there are known. */
  #complete(): void {
    clearTimeout(this.#timer);
    this.#missing.clear();
    if (this.peers.isComplete || (this.#onlySpeaks && this.peers.count === 0)) return;
    this.peers.isComplete = true;
    this.setOpened();
    this.endOutage();
  }

  #goDown(): void {
    this.beginOutage(this.#lastError, `no hub at ${this.#path}`);
  }
}

/** A hub that hangs must not keep a process from ending, which waits for what has been written. */
function leave(socket: Socket): void {
  const timer = setTimeout(() => socket.destroy(), CLOSE_TIMEOUT).unref();
  socket.on('close', () => clearTimeout(timer));
  socket.unref().end();
}

/** Socket.IO calls it with `new`, which an arrow function does not bear. */
function adaptersOf(backplane: HubBackplane): AdapterFactory {
  return function (nsp) {
    return new HubAdapter(nsp, backplane.peers);
  };
}
