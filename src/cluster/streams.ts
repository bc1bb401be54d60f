/** Chooses where the events of rooms with history are kept. The agent keeps them for the workers of one machine. */
import type { Backplane } from '../backplane/backplane';
import { MemoryStreams } from '../store/memory-streams';
import type { Content, Entry, Limits, Page, Position, Streams } from '../store/streams';
import type { Hub } from './hub/hub';
import type { HubAgent } from './hub/hub-agent';
import { HubBackplane } from './hub/hub-backplane';

/** The kind of questions to the agent. */
const KIND = 'streams';

/** Time in ms after which the agent is told again that an event could not be kept. */
const RETRY_DELAY = 1000;

type Request = { readonly stream: string } & (
  | { readonly do: 'append'; readonly content: JsonContent; readonly id: string | undefined; readonly limits: Limits }
  | { readonly do: 'read'; readonly after: number; readonly count: number }
  | { readonly do: 'restart' }
);

/** Bytes are in a list, as base64. */
type JsonContent = readonly (string | readonly [string])[];

interface JsonPage extends Position {
  readonly entries: readonly (Omit<Entry, 'content'> & { readonly content: JsonContent })[];
}

/** To be called if the backplane, or this process alone, can keep them. */
export function streamsOf(backplane: Backplane | undefined): Streams {
  return backplane instanceof HubBackplane ? new AgentStreams(backplane.agent) : new MemoryStreams();
}

/** To be called in the agent, with the streams that it keeps. */
export function keepStreams(hub: Hub, streams: MemoryStreams): void {
  hub.answer(KIND, asked => {
    const request = asked as Request; // written below, in a worker
    const { stream } = request;
    switch (request.do) {
      case 'append':
        return streams.append(stream, { content: fromJson(request.content), id: request.id }, request.limits);
      case 'read': {
        const { entries, ...end } = streams.read(stream, request.after, request.count);
        return { ...end, entries: entries.map(({ offset, id, content }) => ({ offset, id, content: toJson(content) })) };
      }
      case 'restart':
        return streams.restart(stream);
    }
  });
}

/** The streams of the agent, as a worker sees them. */
class AgentStreams implements Streams {
  readonly #agent: HubAgent;
  /** Streams that lack an event: those who come back must not take them for complete. */
  readonly #incomplete = new Set<string>();
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(agent: HubAgent) {
    this.#agent = agent;
  }

  async append(stream: string, { content, id }: Omit<Entry, 'offset'>, limits: Limits): Promise<Position> {
    try {
      return (await this.#ask({ do: 'append', stream, content: toJson(content), id, limits })) as Position; // of the agent's streams
    } catch (error) {
      this.#incomplete.add(stream);
      this.#retryLater();
      throw error;
    }
  }

  async read(stream: string, after: number, count: number): Promise<Page> {
    const { entries, ...end } = (await this.#ask({ do: 'read', stream, after, count })) as JsonPage; // as above
    return { ...end, entries: entries.map(({ content, ...entry }) => ({ ...entry, content: fromJson(content) })) };
  }

  async restart(stream: string): Promise<void> {
    await this.#ask({ do: 'restart', stream });
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }

  async #ask(request: Request): Promise<unknown> {
    return this.#agent.ask(KIND, request);
  }

  #retryLater(): void {
    if (!this.#isClosed) this.#timer ??= setTimeout(() => void this.#restartIncomplete(), RETRY_DELAY).unref();
  }

  async #restartIncomplete(): Promise<void> {
    this.#timer = undefined;
    for (const stream of [...this.#incomplete]) {
      try {
        await this.restart(stream);
        this.#incomplete.delete(stream);
      } catch {
        this.#retryLater(); // the outage goes on, as the log says
        return;
      }
    }
  }
}

function toJson(content: Content): JsonContent {
  return content.map(part => (typeof part === 'string' ? part : [Buffer.from(part).toString('base64')]));
}

function fromJson(content: JsonContent): Content {
  return content.map(part => (typeof part === 'string' ? part : Buffer.from(part[0], 'base64')));
}
