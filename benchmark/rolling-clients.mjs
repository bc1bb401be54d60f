/** The clients of `rolling.mjs`, in a process of their own. Each sends an event with an acknowledgement every second, and keeps time. */
import { once } from 'node:events';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as wait } from 'node:timers/promises';
import { io } from 'socket.io-client';

/** Most clients begin with polling, and upgrade. One of ten can only poll. */
const [POLLING, WEBSOCKET, BOTH] = [['polling'], ['websocket'], ['polling', 'websocket']];
const TRANSPORTS = [POLLING, WEBSOCKET, WEBSOCKET, WEBSOCKET, WEBSOCKET, BOTH, BOTH, BOTH, BOTH, BOTH];
/** Clients that connect at a time. */
const AT_A_TIME = 25;

const { url, kind, count, clientPath } = JSON.parse(process.argv[2]);
const { move } = await import(clientPath);
const seen = { reasons: {}, away: [], latencies: [], sent: 0, answered: 0, lost: 0 };
const ended = new AbortController();
const clients = [];
while (clients.length < count) {
  const size = Math.min(AT_A_TIME, count - clients.length);
  clients.push(
    ...(await Promise.all(Array.from({ length: size }, async (_, n) => connect(TRANSPORTS[(clients.length + n) % TRANSPORTS.length])))),
  );
}
const delays = monitorEventLoopDelay();
delays.enable();
const cpu = process.cpuUsage();
const began = performance.now();
const ids = clients.map(({ id }) => id);
const asking = clients.map(ask);
process.send('connected');

process.once('message', async () => {
  ended.abort();
  await Promise.all(asking); // until the last answer, or its loss
  const kept = clients.filter(({ id }, n) => id === ids[n]).length;
  const { user, system } = process.cpuUsage(cpu);
  const load = (user + system) / 1000 / (performance.now() - began);
  process.send({ ...seen, kept, load, delay: delays.percentile(99) / 1e6 }, () => process.exit());
});

async function connect(transports) {
  const options = { transports, forceNew: true, ...(kind === 'retries' && { retries: 10, ackTimeout: 5000 }) };
  const client = io(url, { ...options, autoConnect: false });
  if (kind === 'move') move(client);
  let leftAt;
  client.on('connect', () => {
    if (leftAt !== undefined) seen.away.push(performance.now() - leftAt);
    leftAt = undefined;
  });
  client.on('disconnect', reason => {
    leftAt = performance.now();
    seen.reasons[reason] = (seen.reasons[reason] ?? 0) + 1;
  });
  client.connect();
  await once(client, 'connect');
  return client;
}

/** Waits for no answer before it sends the next event: what is lost is not made good by a pause. */
async function ask(client) {
  const answers = [];
  await wait(Math.random() * 1000);
  while (!ended.signal.aborted) {
    const sentAt = performance.now();
    seen.sent++;
    answers.push(
      client.emitWithAck('work').then(
        () => {
          seen.answered++;
          seen.latencies.push(performance.now() - sentAt);
        },
        () => seen.lost++, // rejects when its connection has ended
      ),
    );
    await wait(1000);
  }
  await Promise.all(answers);
}
