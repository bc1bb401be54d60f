/** What workers hand over to each other: the agent keeps it on its way. */
import type { HandoverStore } from '../store/handover-store';
import type { MemoryHandovers } from '../store/memory-handovers';
import type { Hub } from './hub/hub';
import type { HubAgent } from './hub/hub-agent';

/** The kind of questions to the agent. */
const KIND = 'handovers';

type Request =
  | { readonly do: 'put'; readonly name: string; readonly text: string; readonly ttl: number }
  | { readonly do: 'take'; readonly name: string };

/** To be called in the agent, with what it keeps. */
export function keepHandovers(hub: Hub, kept: MemoryHandovers): void {
  hub.answer(KIND, async asked => {
    const request = asked as Request; // written below, in a worker
    return request.do === 'put' ? kept.put(request.name, request.text, request.ttl) : kept.take(request.name);
  });
}

/** What the agent keeps, as a worker sees it. */
export function agentHandovers(agent: HubAgent): HandoverStore {
  const ask = async (request: Request): Promise<unknown> => agent.ask(KIND, request);
  return {
    lasts: false,
    put: async (name, text, ttl) => void (await ask({ do: 'put', name, text, ttl })),
    take: async name => (await ask({ do: 'take', name })) as string | undefined, // of the store above
  };
}
