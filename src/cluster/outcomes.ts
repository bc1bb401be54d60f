/** Chooses where outcomes are kept: by the backplane, or in memory. The agent keeps them for the workers of one machine. */
import type { Backplane } from '../backplane/backplane';
import type { Settings } from '../config/settings';
import { MemoryOutcomes } from '../store/memory-outcomes';
import type { Claim, OutcomeStore } from '../store/outcome-store';
import type { Hub } from './hub/hub';
import type { HubAgent } from './hub/hub-agent';

/** The kind of questions to the agent. */
const KIND = 'outcomes';

type Request =
  | { readonly do: 'claim' | 'renew'; readonly key: string; readonly lease: number }
  | { readonly do: 'settle'; readonly key: string; readonly outcome: string; readonly ttl: number };

/** Undefined if the processes of the app have no common place for them. @param workers their number on this machine */
export function outcomeStoreOf(backplane: Backplane | undefined, { adapter }: Settings, workers: number): OutcomeStore | undefined {
  if (backplane) return backplane.kept.outcomes;
  return !adapter && workers <= 1 ? new MemoryOutcomes() : undefined;
}

/** To be called in the agent. */
export function keepOutcomes(hub: Hub): void {
  const store = new MemoryOutcomes();
  hub.answer(KIND, async asked => {
    const request = asked as Request; // written below, in a worker
    switch (request.do) {
      case 'claim':
        return store.claim(request.key, request.lease);
      case 'renew':
        return store.renew(request.key, request.lease);
      case 'settle':
        return store.settle(request.key, request.outcome, request.ttl);
    }
  });
}

/** The outcomes that the agent keeps. */
export function agentOutcomes(agent: HubAgent): OutcomeStore {
  const ask = async (request: Request): Promise<unknown> => agent.ask(KIND, request);
  return {
    claim: async (key, lease) => (await ask({ do: 'claim', key, lease })) as Claim, // of the store above
    renew: async (key, lease) => void (await ask({ do: 'renew', key, lease })),
    settle: async (key, outcome, ttl) => (await ask({ do: 'settle', key, outcome, ttl })) === true,
  };
}
