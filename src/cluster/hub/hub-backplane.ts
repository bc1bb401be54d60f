/** A worker's connection to the hub, which all its namespaces share. What the hub does never reaches local clients: it is only logged. */
import { createConnection, type Socket } from 'node:net';
import type { Namespace } from 'socket.io';
import type { Adapter } from 'socket.io-adapter';
import { Backplane } from '../../backplane/backplane';
import { InvalidMessage, isObject, isRoomList, isTarget } from '../../backplane/backend-message';
import type { Logger } from '../../egg';
import { messageOf, OutageError } from '../../errors';
import { HubAdapter } from './hub-adapter';
import { controlFrame, eachFrame, EVERYONE, FrameReader, HEADER, HUB, MAX_FRAME, type Notice, writeHeader } from './hub-frames';
import { Message, type Part, readMessage } from './hub-message';
import type { Head, Reply } from './hub-receiver';

/** How long the boot waits for the hub, in ms. Without it the app starts all the same, and joins the others later. */
const BOOT_TIMEOUT = 2000;

/** How long until the hub is tried again, in ms. To find no file, or nobody behind it, costs next to nothing. */
const RETRY = 100;

/** How long a hub has to have been there until a worker that it does not know of is taken for gone, in ms: enough for all to come back. */
const SETTLING = 500;

/** How long a link that closes gives the hub to take what is still to be said, in ms. */
const CLOSE_TIMEOUT = 1000;

/** So many bytes wait for the hub; a message after them is lost. As large as the largest message. */
const QUEUE = MAX_FRAME;

/** What waits for answers of other workers. */
export interface Question {
  answered(from: number, reply: Reply, parts: readonly Part[]): void;
  /** That worker will not answer any more. */
  left(from: number): void;
  /** Nobody will. */
  failed(error: Error): void;
}

/** What a message for a namespace is given to. */
export interface Receiver {
  /** Returns what is not done yet, if anything. */
  receive(from: number, head: Head, parts: readonly Part[]): Promise<void> | void;
}

interface HubBackplaneOptions {
  readonly onlySpeaks?: boolean;
  readonly receiverOf?: (nsp: string) => Receiver | undefined;
}

export class HubBackplane extends Backplane {
  readonly createAdapter: (nsp: Namespace) => Adapter;
  readonly localTimeout = 50;
  readonly onlySpeaks: boolean;
  readonly #path: string;
  readonly #name: string;
  readonly #receiverOf: (nsp: string) => Receiver | undefined;
  /** By namespace. */
  readonly #adapters = new Map<string, HubAdapter>();
  readonly #questions = new Map<number, Question>();
  readonly #timers = new Set<NodeJS.Timeout>();
  #lastQuestion = 0;
  /** The other workers' names by number, while there is a hub. */
  #peers = new Map<number, string>();
  /** The names of those who were there before the hub went, and are not back yet. */
  #expected = new Set<string>();
  #socket: Socket | undefined;
  /** There once the hub has said welcome. */
  #outbox: Outbox | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** Whether all are known who are there: only then others can be asked. */
  #isUp = false;
  #lastError: Error = new Error('it has not answered');
  #isClosed = false;

  /**
   * @param name tells this worker from the others, in the log and when the hub comes back
   * @param onlySpeaks whether there are no clients here, and so nothing to be told: such a link is up when it knows of a worker
   * @param receiverOf what is for a namespace is given to. Default: its adapter, if it is of this link
   */
  constructor(path: string, name: string, logger: Logger, { onlySpeaks = false, receiverOf }: HubBackplaneOptions = {}) {
    super({ name: 'the hub', peers: 'workers', code: 'IO_HUB_DOWN', logger });
    this.onlySpeaks = onlySpeaks;
    this.#receiverOf = receiverOf ?? (nsp => this.#adapterOf(nsp));
    this.#path = path;
    this.#name = name;
    this.createAdapter = adaptersOf(this);
    this.#connect();
  }

  /** Resolves when the hub is there, and all workers that it has are known; or when the boot should not wait any longer. */
  async ready(): Promise<void> {
    const timer = setTimeout(() => this.#goDown(), BOOT_TIMEOUT);
    await this.opened;
    clearTimeout(timer);
  }

  /** Says what is still to be said, and leaves. */
  protected disconnect(): void {
    this.#isClosed = true;
    for (const timer of this.#timers) clearTimeout(timer);
    this.#outbox?.flush();
    this.#forgetPeers();
    if (this.#socket) leave(this.#socket);
  }

  /** Whether other workers can be asked. */
  get isUp(): boolean {
    return this.#isUp;
  }

  /** The numbers of the other workers. */
  get peers(): Iterable<number> {
    return this.#peers.keys();
  }

  get peerCount(): number {
    return this.#peers.size;
  }

  /** How many bytes wait for the hub. */
  get backlog(): number {
    return this.#outbox?.size ?? 0;
  }

  /** What the agent says before its backplane is up waits for that: see AgentIo. */
  get isReachable(): boolean {
    return this.#isUp || (this.onlySpeaks && !this.isDown);
  }

  /** From now on this is the adapter of its namespace. */
  add(adapter: HubAdapter): void {
    this.#adapters.set(adapter.name, adapter);
  }

  remove(adapter: HubAdapter): void {
    if (this.#adapters.get(adapter.name) === adapter) this.#adapters.delete(adapter.name);
  }

  /** The number of a question, to be sent with it. It has to be forgotten when nothing is expected any more. */
  expectAnswers(question: Question): number {
    this.#questions.set(++this.#lastQuestion, question);
    return this.#lastQuestion;
  }

  forget(id: number): void {
    this.#questions.delete(id);
  }

  /** To all other workers. Whether it is on its way. */
  publish(head: Head, parts: readonly Part[] = []): boolean {
    if (this.#outbox) return this.#outbox.push(EVERYONE, new Message(head, parts));
    this.countLost();
    return false;
  }

  reply(to: number, reply: Reply, parts: readonly Part[] = []): void {
    this.#outbox?.push(to, new Message(reply, parts));
  }

  overflowError(): Error {
    return new OutageError('IO_HUB_OVERFLOW', 'more waits for the hub than it takes; the other workers have not been asked');
  }

  /** Does something after some ms, unless the link has been closed by then. */
  later(delay: number | undefined, run: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      run();
    }, delay).unref();
    this.#timers.add(timer);
  }

  #connect(): void {
    const socket = createConnection(this.#path);
    const reader = new FrameReader();
    this.#socket = socket;
    socket.on('connect', () => socket.write(controlFrame(HUB, { name: this.#name, onlySpeaks: this.onlySpeaks }).bytes[0] ?? ''));
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
    const wasUp = this.#isUp;
    this.#forgetPeers();
    if (wasUp) this.#goDown();
    this.#timer = setTimeout(() => this.#connect(), RETRY).unref();
  }

  /** What was asked is not answered any more, and nobody is there. */
  #forgetPeers(): void {
    clearTimeout(this.#timer);
    for (const name of this.#peers.values()) this.#expected.add(name);
    this.#peers = new Map();
    this.#outbox = undefined;
    this.#isUp = false;
    this.#eachQuestion(question => question.failed(this.error()));
    this.#questions.clear();
  }

  #eachQuestion(tell: (question: Question) => void): void {
    for (const question of this.#questions.values()) {
      try {
        tell(question);
      } catch (error) {
        this.logger.error('[egg-socket.io] what has waited for other workers has failed:', error);
      }
    }
  }

  #receive(socket: Socket, from: number, content: Buffer): void {
    if (this.#isClosed) return;
    const fail = (error: unknown): void => this.inbox.fail(String(from), error); // it is nothing to the messages after it
    try {
      if (from === HUB)
        this.#heed(JSON.parse(content.toString()) as Notice, socket); // the hub's side of this plugin has written it
      else this.#handle(from, content)?.catch(fail);
    } catch (error) {
      fail(error);
    }
  }

  #heed(notice: Notice, socket: Socket): void {
    switch (notice.type) {
      case 'welcome':
        this.#outbox = new Outbox(socket, notice.number, this.logger);
        this.#timer = setTimeout(() => this.#comeUp(), Math.max(0, SETTLING - notice.age)).unref();
        for (const [number, name] of notice.peers) this.#meet(number, name);
        break;
      case 'joined':
        this.#meet(notice.number, notice.name);
        break;
      case 'left':
        this.#peers.delete(notice.number);
        this.#eachQuestion(question => question.left(notice.number));
    }
  }

  /** Those who were there before have come back: nobody else is waited for. */
  #meet(number: number, name: string): void {
    this.#peers.set(number, name);
    if ((this.#expected.delete(name) || this.onlySpeaks) && this.#expected.size === 0) this.#comeUp();
  }

  /** Returns what is not done yet. */
  #handle(from: number, content: Buffer): Promise<void> | void {
    const { head, parts } = read(content);
    if (head.type === 'reply') {
      this.#questions.get(head.id)?.answered(from, head, parts);
      return;
    }
    const receiver = this.#receiverOf(head.nsp);
    if (receiver) return receiver.receive(from, head, parts);
    if ('id' in head && head.id !== undefined) this.reply(from, { type: 'reply', id: head.id, isNobody: true });
  }

  #adapterOf(nsp: string): HubAdapter | undefined {
    const adapter = this.#adapters.get(nsp);
    return adapter?.isInUse ? adapter : undefined;
  }

  #comeUp(): void {
    clearTimeout(this.#timer);
    this.#expected.clear();
    if (this.#isUp || (this.onlySpeaks && this.#peers.size === 0)) return;
    this.#isUp = true;
    this.setOpened();
    this.endOutage();
  }

  #goDown(): void {
    this.beginOutage(this.#lastError, `no hub at ${this.#path}`);
  }
}

/** @throws InvalidMessage if no worker of this version can have written it */
function read(content: Buffer): { head: Head | Reply; parts: Part[] } {
  let message;
  try {
    message = readMessage(content);
  } catch {
    throw new InvalidMessage();
  }
  const { head, parts } = message;
  if (!isHead(head)) throw new InvalidMessage();
  return { head, parts };
}

function isHead(head: unknown): head is Head | Reply {
  if (!isObject(head)) return false;
  const { type, id, nsp, names, close } = head;
  if (type === 'reply') return typeof id === 'number';
  if (typeof nsp !== 'string' || !isTarget(head)) return false;
  switch (type) {
    case 'broadcast':
    case 'event':
      return id === undefined || typeof id === 'number';
    case 'fetch':
      return typeof id === 'number';
    case 'join':
    case 'leave':
      return isRoomList(names);
    case 'disconnect':
      return typeof close === 'boolean';
    default:
      return false;
  }
}

/** A hub that hangs must not keep a process from ending, which waits for what has been written. */
function leave(socket: Socket): void {
  const patience = setTimeout(() => socket.destroy(), CLOSE_TIMEOUT).unref();
  socket.on('close', () => clearTimeout(patience));
  socket.unref().end();
}

/** Socket.IO calls it with `new`, which an arrow function does not bear. */
function adaptersOf(link: HubBackplane): HubBackplane['createAdapter'] {
  return function (nsp) {
    return new HubAdapter(nsp, link);
  };
}

/**
 * What is on its way to the hub. The messages of one turn of the event loop leave together. Publishers in Node cannot be made to wait:
 * where they publish more than the machine can carry, what comes after a full queue is lost.
 */
class Outbox {
  readonly #socket: Socket;
  readonly #number: number;
  readonly #logger: Logger;
  /** Small messages lie one behind the other in here; what is before `#start` has been sent. */
  #slab = Buffer.allocUnsafeSlow(SLAB);
  #start = 0;
  #end = 0;
  /** What leaves next, before what is in the slab. */
  #ready: Buffer[] = [];
  /** Bytes that the socket does not have yet. */
  #unsent = 0;
  #isScheduled = false;
  #lost = 0;

  constructor(socket: Socket, number: number, logger: Logger) {
    this.#socket = socket;
    this.#number = number;
    this.#logger = logger;
  }

  get size(): number {
    return this.#unsent + this.#socket.writableLength;
  }

  /** Whether it is on its way. */
  push(to: number, message: Message): boolean {
    const size = HEADER + message.size;
    if (message.size > MAX_FRAME || this.size + size > QUEUE) return this.#lose();
    const [buffer, start] = size > SLAB / 4 ? [this.#newBuffer(size), 0] : this.#place(size);
    writeHeader(buffer, start, message.size, to, this.#number);
    message.writeTo(buffer, start + HEADER);
    this.#unsent += size;
    if (!this.#isScheduled) {
      this.#isScheduled = true;
      setImmediate(() => this.flush());
    }
    return true;
  }

  flush(): void {
    this.#isScheduled = false;
    if (this.#unsent === 0) return;
    this.#cut();
    const ready = this.#ready;
    this.#ready = [];
    this.#unsent = 0;
    const last = ready.length - 1;
    this.#socket.cork();
    for (const [index, buffer] of ready.entries()) this.#socket.write(buffer, index === last ? this.#onWritten : undefined);
    this.#socket.uncork();
  }

  #newBuffer(size: number): Buffer {
    this.#cut();
    const buffer = Buffer.allocUnsafeSlow(size);
    this.#ready.push(buffer);
    return buffer;
  }

  #place(size: number): [slab: Buffer, start: number] {
    if (this.#end + size > this.#slab.length) {
      this.#cut();
      this.#slab = Buffer.allocUnsafeSlow(SLAB);
      this.#start = this.#end = 0;
    }
    const start = this.#end;
    this.#end += size;
    return [this.#slab, start];
  }

  /** The slab is not written over: what is in it may still be on its way. */
  #cut(): void {
    if (this.#end > this.#start) this.#ready.push(this.#slab.subarray(this.#start, this.#end));
    this.#start = this.#end;
  }

  #lose(): false {
    if (this.#lost++ === 0) {
      const problem = `more than ${QUEUE / 1024 / 1024} MB wait for the hub, or are one message; what is published now does not reach other workers`;
      this.#logger.error(messageOf('IO_HUB_OVERFLOW', problem));
    }
    return false;
  }

  readonly #onWritten = (): void => {
    if (this.#lost === 0 || this.#socket.writableLength > QUEUE / 2) return;
    this.#logger.info('[egg-socket.io] the hub takes messages again; %d did not reach other workers', this.#lost);
    this.#lost = 0;
  };
}

/** Bytes that are allocated at once, for many messages. */
const SLAB = 64 * 1024;
