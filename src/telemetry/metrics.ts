/** The metrics of one worker, for Prometheus and for OpenTelemetry. Without either of them, nothing is counted. */
import { ownWorkerId } from '../cluster/topology';
import type { Settings } from '../config/settings';
import type { EggApplication } from '../egg';
import { ConnectionCounts } from './connection-counts';
import type { Reading } from './names';
import { PacketCounts } from './packet-counts';
import { answerScrapes } from './scrape';
import { readState, type Sources } from './state';

export class Metrics {
  readonly connections = new ConnectionCounts();
  readonly packets: PacketCounts;
  readonly #sources: () => Sources;
  #published = 0;

  constructor(sources: () => Sources) {
    this.#sources = sources;
    this.packets = new PacketCounts(undefined);
  }

  /** To be called for each message to other processes. */
  readonly onPublish = (): void => void this.#published++;

  read(): Reading {
    return { ...readState(this.#sources(), this.#published), ...this.connections.read(), ...this.packets.read() };
  }
}

/** @param late called for each reading: the server is made after this, and a single worker gets a backplane when `agent.io` is first used */
export function openMetrics(
  app: EggApplication,
  { adapter, prometheus }: Settings,
  runtime: Sources['runtime'],
  late: () => Pick<Sources, 'server' | 'backplane'>,
): Metrics | undefined {
  if (!prometheus) return undefined;
  const metrics = new Metrics(() => ({ ...late(), runtime, carrier: adapter?.name ?? 'hub' }));
  app.ready(() => answerScrapes(app.messenger, () => ({ worker: ownWorkerId(), reading: metrics.read() })));
  return metrics;
}
