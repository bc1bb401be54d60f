/** What is measured. Each scenario measures one server at a time, for a slice, and gives numbers of that slice. */
import { PEERS } from './peers.mjs';

const CONNECTIONS = 100;

/** A slice of a scenario that sends: CPU time of the server per message, in microseconds. */
function sending(question, { connections = CONNECTIONS, namespace = '/', ...load }) {
  return {
    unit: 'us',
    async prepare(row) {
      await openClients(row, { count: row.connections ?? connections, namespace });
      if (question === 'messages') await probe(row, load);
    },
    async measure(row, ms) {
      const received = await row.server.ask('received');
      const { cpu, result } = await observe(row, () => row.load.ask(question, row.id, { ms, ...load, ...row.sends }));
      if (load.event === 'one-way') {
        const lost = received + result.messages - (await row.server.ask('received'));
        if (lost !== 0) throw new Error(`${row.label} has lost ${lost} of ${result.messages} messages`);
      }
      return {
        value: cpu / result.messages,
        server: cpu / 1000 / result.ms,
        generator: result.busy,
        perSecond: (result.messages / result.ms) * 1000,
        ...(load.inFlight === 1 && { p50: result.p50, p99: result.p99 }),
      };
    },
  };
}

const messages = load => sending('messages', load);

export const SCENARIOS = {
  echo: { about: 'echo with an acknowledgement, 10 in flight per connection', ...messages({ event: 'echo', inFlight: 10 }) },
  'echo-1': { about: 'echo with an acknowledgement, 1 in flight per connection', ...messages({ event: 'echo', inFlight: 1 }) },
  'one-way': { about: 'one-way messages, in bursts of 40', ...messages({ event: 'one-way', burst: 40 }) },
};

/** The rows of a scenario: the peers, unless it has its own. */
export function rowsOf(scenario, names) {
  const rows = scenario.rows ?? names.map(peer => ({ peer, label: peer }));
  return rows.filter(({ peer }) => names.includes(peer) && lackOf(scenario, peer) === undefined);
}

/** Why a peer cannot do a scenario. */
export function lackOf({ needs }, peer) {
  return needs && PEERS[peer].lacks?.[needs];
}

let lastId = 0;

async function openClients(row, options) {
  const { port } = await row.server.ask('about');
  row.id = ++lastId;
  const { protocol } = PEERS[row.peer];
  return await row.load.ask('open', row.id, { port, protocol, ...options });
}

/** A server that answers with an error would be fast. */
async function probe(row, load) {
  const [text, expected] = [await row.load.ask('probe', row.id, { ...load, event: 'echo' }), '{"a":1,"text":"hello world"}'];
  if (!text.endsWith(`[${expected}]`)) throw new Error(`${row.label} answers ${text}`);
}

/** What the server uses of its core meanwhile, in microseconds. */
async function observe({ server }, work) {
  const before = await server.ask('cpu');
  const result = await work();
  return { result, cpu: (await server.ask('cpu')) - before };
}
