/**
 * The hub carries broadcasts between the workers of one machine. It runs in the agent, and each worker has one connection to it, over a Unix
 * domain socket. It forwards frames and knows which workers are connected; it does not read the content of frames, except of questions to the
 * agent, and of events of rooms with history, which the agent keeps on their way.
 *
 * Back-pressure. A worker that reads more slowly than the others write must neither fill the agent's memory nor stop the other workers. While too
 * many bytes are queued for one worker, the hub reads from none: messages then wait in the outboxes of the workers that publish them, all workers
 * slow down to the slowest one, and nothing is lost. A worker that reads (almost) nothing may delay the others for one second, and after that for
 * a tenth of the time (see `HubWorker`). Then it counts as hanging: the others continue, up to 8 MB are queued for it, and further messages are
 * lost for this worker only, with a line of log, until it reads again. For the workers' side, see hub-outbox.ts: they queue at most 32 MB.
 */
import { randomInt } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { debug } from '../../debug';
import type { Logger } from '../../egg';
import { toError } from '../../thrown';
import type { Answerer } from './hub-agent';
import {
  eachFrame,
  EVERYONE,
  FrameReader,
  type Hello,
  HUB,
  messageFrame,
  NUMBERED,
  type Publication,
  type Question,
  type Reply,
  type Run,
} from './hub-frames';
import { Message, type Part, readMessage } from './hub-message';
import { HubWorker } from './hub-worker';

export class Hub {
  readonly #logger: Logger;
  readonly #server = createServer(socket => this.#accept(socket));
  /** All connections. */
  readonly #connected = new Set<HubWorker>();
  /** The workers that have sent their hello, by number. Includes the agent, which receives answers. */
  readonly #workers = new Map<number, HubWorker>();
  /** The workers that delay the others, since too many bytes are queued for them. */
  readonly #behind = new Set<HubWorker>();
  /** By the kind of the question. */
  readonly #answerers = new Map<string, Answerer>();
  /** Begins at random: an answer to a number of an earlier hub may still arrive, so numbers must not repeat. */
  #lastNumber = randomInt(1, 2 ** 31);
  #startedAt = 0;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** Listens at a path, and removes a file that a killed hub has left there. Rejects if that fails. */
  async listen(path: string): Promise<void> {
    await rm(path, { force: true });
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(path, () => {
        this.#server.off('error', reject);
        resolve();
      });
    });
    this.#server.on('error', error => this.#logger.error('[egg-socket.io] the hub at %s:', path, error));
    this.#startedAt = performance.now();
  }

  /** Lets the workers ask the agent questions of this kind, by `HubAgent.ask()`, and have events numbered, by `HubAgent.publish()`. */
  answer(kind: string, answerer: Answerer): void {
    this.#answerers.set(kind, answerer);
  }

  /** Ends all connections. */
  async close(): Promise<void> {
    const closed = new Promise<void>(resolve => this.#server.close(() => resolve()));
    for (const { socket } of this.#connected) socket.destroy();
    await closed;
  }

  #accept(socket: Socket): void {
    const worker = new HubWorker(++this.#lastNumber, socket, this.#logger, isBehind => this.#setBehind(worker, isBehind));
    const reader = new FrameReader();
    this.#connected.add(worker);
    if (this.#behind.size > 0) socket.pause();
    socket.on('data', chunk => {
      try {
        this.#relay(worker, reader.read(chunk));
      } catch (error) {
        this.#logger.error('[egg-socket.io] the hub cannot read the data of a worker:', error);
        socket.destroy();
      }
    });
    socket.on('error', () => undefined); // a worker that was killed; `close` follows
    socket.on('close', () => this.#leave(worker));
  }

  /** Forwards frames. Those that arrived together leave together. */
  #relay(from: HubWorker, runs: Run[]): void {
    for (const { socket } of this.#connected) socket.cork();
    try {
      for (const run of runs) this.#pass(from, run);
    } finally {
      for (const { socket } of this.#connected) socket.uncork();
    }
  }

  #pass(from: HubWorker, run: Run): void {
    if (run.to === HUB) eachFrame(run, (_number, content) => this.#receive(from, content));
    else if (from.name === undefined) throw new Error('no hello');
    else if (run.to === NUMBERED) eachFrame(run, (_number, content) => this.#number(from, content));
    else if (run.to === EVERYONE) for (const worker of this.#othersThan(from)) worker.send(run);
    else this.#workers.get(run.to)?.send(run);
  }

  /** The workers that receive a broadcast of this one. */
  *#othersThan(one: HubWorker): Iterable<HubWorker> {
    for (const worker of this.#workers.values()) if (worker !== one && !worker.isSendOnly) yield worker;
  }

  #receive(from: HubWorker, content: Buffer): void {
    const message = JSON.parse(content.toString()) as Hello | Question; // written by this plugin, in the worker
    if ('type' in message) this.#answer(from, message);
    else this.#welcome(from, message);
  }

  /** Replies at once if the answerer does: the replies to questions that have arrived together then leave together. */
  #answer(from: HubWorker, question: Question, frames: readonly Part[] = [], onValue?: (value: unknown) => void): void {
    const { id, kind, request, isAwaited = true } = question;
    const reply = (content: Pick<Reply, 'value' | 'error'>): void => {
      if (!this.#connected.has(from)) return;
      if (isAwaited) from.notify({ type: 'reply', id, ...content });
      else from.notifyLater({ type: 'reply', id, ...content });
    };
    const settle = (value: unknown): void => {
      onValue?.(value);
      reply({ value });
    };
    const fail = (thrown: unknown): void => reply({ error: toError(thrown).message });
    try {
      const answerer = this.#answerers.get(kind);
      if (!answerer) throw new Error(`the agent has no answers to '${kind}'`);
      const value = answerer(request, frames);
      if (value instanceof Promise) value.then(settle).catch(fail);
      else settle(value);
    } catch (error) {
      fail(error); // also of a value that is no JSON
    }
  }

  /** Forwards an event with its position, which is also the reply to the worker that has published it. */
  #number(from: HubWorker, content: Buffer): void {
    const { head, parts } = readMessage(content);
    const publication = head as Publication; // written by this plugin, in the worker
    this.#answer(from, publication, parts, position => {
      const frame = messageFrame(EVERYONE, from.number, new Message({ ...publication.event, position }, parts));
      for (const worker of this.#othersThan(from)) worker.send(frame);
    });
  }

  #welcome(worker: HubWorker, { name, isSendOnly = false }: Hello): void {
    const { number } = worker;
    const peers = [...this.#othersThan(worker)].map(({ number, name }) => [number, String(name)] as const);
    worker.name = name;
    worker.isSendOnly = isSendOnly;
    this.#workers.set(number, worker);
    debug.hub('worker %s has joined the hub as number %d', name, number);
    worker.notify({ type: 'welcome', number, age: performance.now() - this.#startedAt, peers });
    if (isSendOnly) return;
    for (const other of this.#workers.values()) if (other !== worker) other.notify({ type: 'joined', number, name });
  }

  #leave(worker: HubWorker): void {
    this.#connected.delete(worker);
    const { number, name } = worker;
    if (!this.#workers.delete(number)) return;
    debug.hub('worker %s has left the hub', name);
    for (const other of this.#workers.values()) other.notify({ type: 'left', number });
  }

  /** Pauses reading from all workers while one is behind. The death of a worker is noticed when reading resumes. */
  #setBehind(worker: HubWorker, isBehind: boolean): void {
    const wasPaused = this.#behind.size > 0;
    if (isBehind) this.#behind.add(worker);
    else this.#behind.delete(worker);
    const isPaused = this.#behind.size > 0;
    if (isPaused === wasPaused) return;
    for (const { socket } of this.#connected) {
      if (isPaused) socket.pause();
      else socket.resume();
    }
  }
}
