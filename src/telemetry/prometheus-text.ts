/** Writes metrics as text for Prometheus, under the names that OpenTelemetry's exporters give them: dashboards fit both. */
import { BOUNDS, METRIC_LIST, type Point } from './names';
import type { Report } from './scrape';

export const CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

const SUFFIXES: Readonly<Record<string, string>> = { s: '_seconds', By: '_bytes' };

/** Says how many workers have not answered. */
const SILENT = 'socketio_server_silent_workers';

/** @param silent the number of workers whose metrics are missing */
export function prometheusText(reports: readonly Report[], silent: number): string {
  const lines = [
    `# HELP ${SILENT} Workers that have not answered in time: their metrics are missing.`,
    `# TYPE ${SILENT} gauge`,
    `${SILENT} ${silent}`,
  ];
  for (const [metric, { kind, unit, help }] of METRIC_LIST) {
    const series = reports.flatMap(({ worker, reading }) => (reading[metric] ?? []).map(point => ({ worker, point })));
    if (series.length === 0) continue;
    const name = prometheusName(metric, kind, unit);
    lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${kind === 'sum' ? 'gauge' : kind}`);
    for (const { worker, point } of series) lines.push(...linesOf(name, worker, point));
  }
  return `${lines.join('\n')}\n`;
}

export function prometheusName(metric: string, kind: string, unit: string): string {
  return plain(metric) + (SUFFIXES[unit] ?? '') + (kind === 'counter' ? '_total' : '');
}

function linesOf(name: string, worker: string, { attributes, value }: Point): string[] {
  const labels = Object.entries({ worker, ...attributes }).map(([label, text]) => `${plain(label)}="${escape(text)}"`);
  const line = (suffix: string, number: number, more: readonly string[] = []): string =>
    `${name}${suffix}{${[...labels, ...more].join(',')}} ${number}`;
  if (typeof value === 'number') return [line('', value)];
  let count = 0;
  const buckets = value.counts.map((ofBucket, index) => line('_bucket', (count += ofBucket), [`le="${BOUNDS[index] ?? '+Inf'}"`]));
  return [...buckets, line('_sum', value.sum), line('_count', count)];
}

function plain(name: string): string {
  return name.replaceAll('.', '_');
}

function escape(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}
