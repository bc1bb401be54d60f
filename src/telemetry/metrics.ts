/** The metrics of one worker, for Prometheus and for OpenTelemetry. Without either of them, nothing is counted. */
import { ownWorkerId } from '../cluster/topology';
import type { Settings } from '../config/settings';
import type { EggApplication } from '../egg';
import { ConnectionCounts } from './connection-counts';
import { meterOf, observe, recorderOf } from './meter';
import type { Attributes, Reading } from './names';
import { PacketCounts } from './packet-counts';
import { answerScrapes } from './scrape';
import { readState, type Sources } from './state';
import { Durations } from './tally';

export class Metrics {
  readonly connections = new ConnectionCounts();
  readonly packets: PacketCounts;
  /** To be called when the server has closed. */
  close: () => void = () => {};
  readonly #sources: () => Sources;
  readonly #durations = new Durations();
  #published = 0;

  /** @param record takes durations, in s, as well */
  constructor(sources: () => Sources, record?: (seconds: number, attributes: Attributes) => void) {
    this.#sources = sources;
    this.packets = new PacketCounts((seconds, attributes) => {
      this.#durations.add(attributes, seconds);
      record?.(seconds, attributes);
    });
  }

  /** To be called for each message to other processes. */
  readonly onPublish = (): void => void this.#published++;

  read(): Reading {
    return {
      ...readState(this.#sources(), this.#published),
      ...this.connections.read(),
      ...this.packets.read(),
      'messaging.process.duration': this.#durations.points,
    };
  }
}

/** @param late called for each reading: the server is made after this, and a single worker gets a backplane when `agent.io` is first used */
export function openMetrics(
  app: EggApplication,
  { adapter, prometheus }: Settings,
  runtime: Sources['runtime'],
  late: () => Pick<Sources, 'server' | 'backplane'>,
): Metrics | undefined {
  const meter = meterOf(app.baseDir);
  if (!prometheus && !meter) return undefined;
  const metrics = new Metrics(() => ({ ...late(), runtime, carrier: adapter?.name ?? 'hub' }), meter && recorderOf(meter));
  app.ready(() => {
    if (prometheus) answerScrapes(app.messenger, () => ({ worker: ownWorkerId(), reading: metrics.read() }));
    if (meter) metrics.close = observe(meter, () => metrics.read());
  });
  return metrics;
}
