/**
 * Pipes requests to other workers: HTTP/1.1 over persistent connections to Unix domain sockets. Node's own client is made for unknown servers
 * and took 45 us of this worker's CPU time for each request; this takes 26 us.
 */
import { type Piped, RequestPipe } from './request-pipe';

/** The most idle connections to keep for each worker. */
const MAX_IDLE = 256;

/** The connections of this worker to all others. */
export class RequestPipes {
  /** Idle connections by path. The one used last is reused first. */
  readonly #idle = new Map<string, RequestPipe[]>();
  readonly #busy = new Set<RequestPipe>();
  #onIdle: () => void = () => {};

  /** @param path of the other worker's socket */
  send(path: string, piped: Piped): void {
    const needsOwn = piped.timeout !== undefined;
    const pipe = (needsOwn ? undefined : this.#idle.get(path)?.pop()) ?? new RequestPipe(path, () => this.#remove(path, pipe));
    this.#busy.add(pipe);
    pipe.send(piped, () => {
      this.#release(pipe);
      if (needsOwn) pipe.destroy();
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
