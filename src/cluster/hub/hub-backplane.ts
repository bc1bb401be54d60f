/** The hub as the backplane: a worker's connection to the hub, shared by all namespaces. */
import { createConnection, type Socket } from 'node:net';
import { Backplane } from '../../backplane/backplane';
import type { AdapterFactory } from '../../config/options';
import { debug } from '../../debug';
import type { Logger } from '../../egg';
import { agentHandovers } from '../handovers';
import { agentOutcomes } from '../outcomes';
import { AgentStreams } from '../streams';
import { HubAdapter } from './hub-adapter';
import { HubAgent } from './hub-agent';
import { controlFrame, eachFrame, FrameReader, HUB, type Notice } from './hub-frames';
import { HubOutbox } from './hub-outbox';
import { HubPeers, type Receiver } from './hub-peers';

/** Time in ms for which the boot waits for the hub. After that the app starts anyway, and joins the other workers later. */
const BOOT_TIMEOUT = 2000;

/** Time between two attempts to connect, in ms. A failed attempt costs almost nothing. */
const RETRY_DELAY = 100;

/** Age of the hub in ms after which workers that have not reconnected to it count as gone. */
const SETTLING_TIME = 500;

/** Time in ms for the hub to read the queued messages when the backplane closes. */
const CLOSE_TIMEOUT = 1000;

interface HubOptions {
  readonly isSendOnly?: boolean;
  readonly receiverOf?: (nsp: string) => Receiver | undefined;
}

export class HubBackplane extends Backplane {
  readonly createAdapter: AdapterFactory;
  readonly localTimeout = 50;
  readonly peers: HubPeers;
  /** Answers questions of this worker, such as those to its memory. */
  readonly agent = new HubAgent();
  override readonly kept = {
    outcomes: agentOutcomes(this.agent),
    handovers: agentHandovers(this.agent),
    createStreams: () => new AgentStreams(this.agent),
  };
  readonly #path: string;
  readonly #workerName: string;
  readonly #isSendOnly: boolean;
  /** The workers that were connected before an outage of the hub, and have not come back yet. */
  readonly #missing = new Set<string>();
  #socket: Socket | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;
  #lastError: Error = new Error('it has not answered');

  /**
   * @param workerName identifies this worker in the log, and when the hub comes back
   * @param isSendOnly whether this process has no clients, like the agent. Then it can send as soon as there is one worker.
   * @param receiverOf finds the receiver of a namespace. Default: the one that its adapter has registered.
   */
  constructor(path: string, workerName: string, logger: Logger, { isSendOnly = false, receiverOf }: HubOptions = {}) {
    super({ name: 'the hub', peers: 'workers', code: 'IO_HUB_DOWN', logger });
    this.peers = new HubPeers(this, receiverOf);
    this.#path = path;
    this.#workerName = workerName;
    this.#isSendOnly = isSendOnly;
    this.createAdapter = adaptersOf(this);
    this.#connect();
  }

  /** True in the agent before there are workers: its messages wait for them, see AgentIo. */
  get isReachable(): boolean {
    return this.peers.isComplete || (this.#isSendOnly && !this.isDown);
  }

  /** Resolves when the hub is connected and all workers are known, or when the boot should not wait any longer. */
  async ready(): Promise<void> {
    const timer = setTimeout(() => this.#goDown(), BOOT_TIMEOUT);
    await this.opened;
    clearTimeout(timer);
  }

  /** Sends queued messages, and disconnects. */
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
    socket.on('connect', () => socket.write(controlFrame(HUB, { name: this.#workerName, isSendOnly: this.#isSendOnly }).bytes[0] ?? ''));
    socket.on('data', chunk => {
      try {
        for (const run of reader.read(chunk)) eachFrame(run, (from, content) => this.#receive(socket, from, content));
      } catch (error) {
        this.#lastError = error as Error; // the reader's RangeError
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
    this.agent.clear();
    for (const name of this.peers.names) this.#missing.add(name);
    this.peers.clear();
  }

  #receive(socket: Socket, from: number, content: Buffer): void {
    if (this.#isClosed) return;
    const fail = (error: unknown): void => this.inbox.fail(String(from), error); // does not affect later messages
    try {
      if (from === HUB)
        this.#onNotice(JSON.parse(content.toString()) as Notice, socket); // written by this plugin, in the agent
      else {
        this.inbox.read++;
        this.peers.receive(from, content)?.catch(fail);
      }
    } catch (error) {
      fail(error);
    }
  }

  #onNotice(notice: Notice, socket: Socket): void {
    switch (notice.type) {
      case 'welcome':
        debug.hub('worker %s: joined the hub as number %d; it has %d other workers', this.#workerName, notice.number, notice.peers.length);
        this.#openOutbox(new HubOutbox(socket, notice.number, this.logger));
        this.#timer = setTimeout(() => this.#complete(), Math.max(0, SETTLING_TIME - notice.age)).unref();
        for (const [number, name] of notice.peers) this.#addPeer(number, name);
        break;
      case 'reply':
        this.agent.receive(notice);
        break;
      case 'joined':
        debug.hub('worker %s: worker %s has joined', this.#workerName, notice.name);
        this.#addPeer(notice.number, notice.name);
        break;
      case 'lost':
        this.losses.count++;
        break;
      case 'left': {
        const name = this.peers.remove(notice.number);
        if (name !== undefined) debug.hub('worker %s: worker %s has left', this.#workerName, name);
      }
    }
  }

  #openOutbox(outbox: HubOutbox): void {
    this.peers.open(outbox);
    this.agent.open(outbox);
  }

  #addPeer(number: number, name: string): void {
    this.peers.add(number, name);
    const isBack = this.#missing.delete(name);
    if ((isBack || this.#isSendOnly) && this.#missing.size === 0) this.#complete();
  }

  /** All running workers are known now. */
  #complete(): void {
    clearTimeout(this.#timer);
    this.#missing.clear();
    if (this.peers.isComplete || (this.#isSendOnly && this.peers.count === 0)) return;
    this.peers.isComplete = true;
    this.setOpened();
    this.endOutage();
    this.setReachable();
  }

  #goDown(): void {
    this.beginOutage(this.#lastError, `no hub at ${this.#path}`);
  }
}

/** Disconnects, with a time-out: a hanging hub must not keep the process from ending. */
function leave(socket: Socket): void {
  const timer = setTimeout(() => socket.destroy(), CLOSE_TIMEOUT).unref();
  socket.on('close', () => clearTimeout(timer));
  socket.unref().end();
}

/** A factory of adapters. Not an arrow function, since Socket.IO calls it with `new`. */
function adaptersOf(backplane: HubBackplane): AdapterFactory {
  return function (nsp) {
    return new HubAdapter(nsp, backplane.peers);
  };
}
