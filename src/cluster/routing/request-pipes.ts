/**
 * Pipes requests to other workers: HTTP/1.1 over Unix domain sockets that are kept. Node's own client is made for servers that one does not
 * know: with it, a request took 45 us of this worker's CPU time, here it takes 26.
 */
import { type Piped, RequestPipe } from './request-pipe';

/** How many connections to a worker are kept while they are idle. */
const MAX_IDLE = 256;

/** The connections of this worker to all others. */
export class RequestPipes {
  /** The idle ones by path. The one that was used last is used next. */
  readonly #idle = new Map<string, RequestPipe[]>();
  readonly #busy = new Set<RequestPipe>();
  #onIdle: () => void = () => {};

  /** @param path of the other worker's socket */
  send(path: string, piped: Piped): void {
    const isAlone = piped.timeout !== undefined;
    const pipe = (isAlone ? undefined : this.#idle.get(path)?.pop()) ?? new RequestPipe(path, () => this.#remove(path, pipe));
    this.#busy.add(pipe);
    pipe.send(piped, () => {
      this.#release(pipe);
      if (isAlone) pipe.destroy();
      else this.#keep(path, pipe);
    });
  }

  /** Resolves when no request is being piped. */
  async idle(): Promise<void> {
    if (this.#busy.size > 0) await new Promise<void>(resolve => (this.#onIdle = resolve));
  }

  close(): void {
    for (const pipes of [this.#busy, ...this.#idle.values()]) for (const pipe of pipes) pipe.destroy();
  }

  #release(pipe: RequestPipe): void {
    this.#busy.delete(pipe);
    if (this.#busy.size === 0) this.#onIdle();
  }

  #keep(path: string, pipe: RequestPipe): void {
    const pipes = this.#idle.get(path);
    if (!pipes) this.#idle.set(path, [pipe]);
    else if (pipes.length < MAX_IDLE) pipes.push(pipe);
    else pipe.destroy();
  }

  #remove(path: string, pipe: RequestPipe): void {
    this.#release(pipe);
    const pipes = this.#idle.get(path)?.filter(other => other !== pipe);
    if (pipes?.length) this.#idle.set(path, pipes);
    else this.#idle.delete(path);
  }
}
