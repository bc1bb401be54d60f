/** The tables of docs/cluster.md, made of the results of the cluster scenarios. */

export const CLUSTER_SCENARIOS = ['connect', 'websocket', 'polling', 'pipe', 'pipe-1', 'hub', 'broadcast'].map(name => `cluster-${name}`);

/** @param results by scenario */
export function clusterTables(results) {
  const row = (scenario, label) => results[scenario].rows.find(row => row.label === label);
  const [connect, webSocket, polling] = ['connect', 'websocket', 'polling'].map(name => label => row(`cluster-${name}`, label));
  const [sticky, before, after] = ['4.1.6, sticky', '4.1.6', '5'];
  const held = ({ extras }) => `${count(extras['busiest worker'][1])} / ${count(extras['least worker'][1])}`;
  const share = ({ extras }) => `${count(extras['busiest worker %'][1])} %`;
  const rate = ({ perSecond }) => count(perSecond[1]);
  const cost = ({ value }) => us(value[1]);
  const beforeAndAfter = [
    ['', sticky, `${before}, not sticky`, after],
    ['clients that get in, of 400', ...[sticky, before, after].map(label => count(connect(label).value[1]))],
    ['sockets on the busiest and the least busy worker', ...[sticky, before, after].map(label => held(connect(label)))],
    ['over WebSocket: the busiest worker’s share of the work', share(webSocket(sticky)), '', share(webSocket(after))],
    ['messages per second, all workers', rate(webSocket(sticky)), '', rate(webSocket(after))],
    ['CPU time per message', cost(webSocket(sticky)), '', cost(webSocket(after))],
    ['over polling: the busiest worker’s share of the work', share(polling(sticky)), '', share(polling(after))],
    ['messages per second, all workers', rate(polling(sticky)), '', rate(polling(after))],
    ['CPU time per message', cost(polling(sticky)), '', cost(polling(after))],
  ];
  const pipes = label => ['cluster-pipe', 'cluster-pipe-1'].map(name => cost(row(name, label)));
  const piped = [
    ['CPU time per message, over WebSocket', '10 on their way at a time', '1'],
    ['at the worker that holds the session', ...pipes('at its worker')],
    ['by way of another one', ...pipes('piped')],
  ];
  const carried = name => row => [`${name}`, rate(row), cost(row)];
  const carriers = [
    ['to the other workers', 'per second', 'CPU time of all'],
    ...['200 B', '10000 B'].flatMap(size =>
      ['hub', 'Redis'].map(name =>
        carried(`emit of ${size === '200 B' ? size : '10 kB'}, ${name}`)(row('cluster-hub', `${name}, ${size}`)),
      ),
    ),
    ...['hub', 'Redis'].map(name =>
      carried(`to 1,000 clients of 4 workers, per client, ${name}`)(row('cluster-broadcast', `${name}, 1,000 clients`)),
    ),
  ];
  return [beforeAndAfter, piped, carriers];
}

function count(number) {
  return Math.round(number).toLocaleString('en');
}

function us(number) {
  return `${number < 10 ? number.toFixed(1) : count(number)} us`;
}
