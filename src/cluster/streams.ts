/** Chooses where the events of rooms with history are kept. The agent keeps them for the workers of one machine, Redis or PostgreSQL for several machines. */
import type { Backplane } from '../backplane/backplane';
import { MemoryStreams } from '../store/memory-streams';
import { RemoteStreams } from '../store/remote-streams';
import type { Appended, Content, Entry, Forwarded, Limits, Page, Position, Streams } from '../store/streams';
import type { Hub } from './hub/hub';
import type { HubAgent } from './hub/hub-agent';

/** The kind of questions to the agent. */
const KIND = 'streams';

type Request =
  | {
      readonly do: 'append';
      readonly stream: string;
      /** Undefined if it is that of the event which is to get its position. */
      readonly content?: JsonContent;
      readonly id: string | undefined;
      readonly limits: Limits;
    }
  | { readonly do: 'read'; readonly stream: string; readonly after: number; readonly count: number }
  | { readonly do: 'restart'; readonly stream: string }
  | { readonly do: 'restartAll' };

/** Bytes are in a list, as base64. */
type JsonContent = readonly (string | readonly [string])[];

interface JsonPage extends Position {
  readonly entries: readonly (Omit<Entry, 'content'> & { readonly content: JsonContent })[];
}

/** To be called if the backplane, or this process alone, can keep them. */
export function streamsOf(backplane: Backplane | undefined): Streams {
  return backplane?.kept.createStreams?.() ?? new MemoryStreams();
}

/** To be called in the agent, with the streams that it keeps. */
export function keepStreams(hub: Hub, streams: MemoryStreams): void {
  hub.answer(KIND, (asked, frames) => {
    const request = asked as Request; // written below, in a worker
    switch (request.do) {
      case 'append':
        return streams.append(
          request.stream,
          { content: request.content ? fromJson(request.content) : frames, id: request.id },
          request.limits,
        );
      case 'read': {
        const { entries, ...end } = streams.read(request.stream, request.after, request.count);
        return { ...end, entries: entries.map(({ offset, id, content }) => ({ offset, id, content: toJson(content) })) };
      }
      case 'restart':
        return streams.restart(request.stream);
      case 'restartAll':
        return streams.restartAll();
    }
  });
}

/** The streams of the agent, as a worker sees them. */
export class AgentStreams extends RemoteStreams {
  readonly #agent: HubAgent;

  constructor(agent: HubAgent) {
    super();
    this.#agent = agent;
  }

  async read(stream: string, after: number, count: number): Promise<Page> {
    const { entries, ...end } = (await this.#ask({ do: 'read', stream, after, count })) as JsonPage; // of the agent's streams
    return { ...end, entries: entries.map(({ content, ...entry }) => ({ ...entry, content: fromJson(content) })) };
  }

  appendAndForward(
    stream: string,
    { content, id }: Omit<Entry, 'offset'>,
    limits: Limits,
    { isAwaited, ...to }: Forwarded,
    settle: (position: Appended | undefined) => void,
  ): boolean {
    if (!this.isComplete(stream)) return false;
    const request: Request = { do: 'append', stream, id, limits };
    const fail = (): void => {
      this.lack(stream);
      settle(undefined);
    };
    const publication = { event: { type: 'kept', ...to, eventId: id }, kind: KIND, request, isAwaited };
    return this.#agent.publish(content, publication, position => settle(position as Appended), fail); // of the agent's streams
  }

  async restart(stream: string): Promise<void> {
    await this.#ask({ do: 'restart', stream });
  }

  protected async restartAll(): Promise<void> {
    await this.#ask({ do: 'restartAll' });
  }

  protected add(stream: string, { content, id }: Omit<Entry, 'offset'>, limits: Limits): Promise<Appended> {
    return this.#ask({ do: 'append', stream, content: toJson(content), id, limits }) as Promise<Appended>; // as above
  }

  #ask(request: Request): Promise<unknown> {
    return this.#agent.ask(KIND, request);
  }
}

function toJson(content: Content): JsonContent {
  return content.map(part => (typeof part === 'string' ? part : [Buffer.from(part).toString('base64')]));
}

function fromJson(content: JsonContent): Content {
  return content.map(part => (typeof part === 'string' ? part : Buffer.from(part[0], 'base64')));
}
