/** The metrics for OpenTelemetry, if the app has its API, and has registered an SDK that reads metrics before its boot. */
import type { BatchObservableCallback, Meter, Observable } from '@opentelemetry/api';
import { findAppPackage } from '../app-package';
import { type Attributes, BOUNDS, METRIC_LIST, type MetricName, METRICS, type Reading } from './names';
import { API, type OpenTelemetry } from './opentelemetry';

/** Undefined if nobody would read the metrics. */
export function meterOf(baseDir: string): Meter | undefined {
  // of any version: another package may have brought it, and early ones know traces only
  const { metrics, createNoopMeter }: Partial<OpenTelemetry> = findAppPackage<OpenTelemetry>(baseDir, API)?.exported ?? {};
  if (!metrics || !createNoopMeter) return undefined;
  const meter = metrics.getMeter('egg-socket.io');
  return meter === createNoopMeter() ? undefined : meter; // that of an API without an SDK
}

/** The function that takes durations, in s. They are the only metric that cannot be read at any time. */
export function recorderOf(meter: Meter): (seconds: number, attributes: Attributes) => void {
  const { unit, help } = METRICS['messaging.process.duration'];
  const histogram = meter.createHistogram('messaging.process.duration', {
    unit,
    description: help,
    advice: { explicitBucketBoundaries: BOUNDS },
  });
  return (seconds, attributes) => histogram.record(seconds, attributes);
}

/**
 * Has a function called whenever the metrics are read.
 * @returns a function that ends this
 */
export function observe(meter: Meter, read: () => Reading): () => void {
  const instruments = new Map<MetricName, Observable>();
  for (const [name, { kind, unit, help: description }] of METRIC_LIST) {
    if (kind === 'counter') instruments.set(name, meter.createObservableCounter(name, { unit, description }));
    else if (kind === 'sum') instruments.set(name, meter.createObservableUpDownCounter(name, { unit, description }));
    else if (kind === 'gauge') instruments.set(name, meter.createObservableGauge(name, { unit, description }));
  }
  const callback: BatchObservableCallback = result => {
    const reading = read();
    for (const [name, instrument] of instruments)
      for (const { value, attributes } of reading[name] ?? []) if (typeof value === 'number') result.observe(instrument, value, attributes);
  };
  const observables = [...instruments.values()];
  meter.addBatchObservableCallback(callback, observables);
  return () => meter.removeBatchObservableCallback(callback, observables);
}
