/** Tables of results, for people. */

/** Ratios are taken to the first row of the same round. */
export function table({ unit, rows }) {
  const [base] = rows;
  const lines = rows.map(row => [
    row.label,
    spread(row.samples.map(sample => sample.value)),
    spread(row.samples.map((sample, round) => sample.value / base.samples[round].value)),
    Math.round(median(row.samples.map(sample => sample.perSecond))).toLocaleString('en'),
    percent(median(row.samples.map(sample => sample.server))),
    percent(Math.max(...row.samples.map(sample => sample.generator))),
    ...(row.samples[0].p50 === undefined
      ? []
      : [median(row.samples.map(sample => sample.p50)).toFixed(2), median(row.samples.map(sample => sample.p99)).toFixed(2)]),
  ]);
  return columns([
    [
      'server',
      `CPU ${unit}: min median max`,
      'ratio: min median max',
      'per second',
      'server busy',
      'generator busy',
      ...(lines[0].length > 6 ? ['p50 ms', 'p99 ms'] : []),
    ],
    ...lines,
  ]);
}

export function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}

function spread(numbers) {
  return [Math.min(...numbers), median(numbers), Math.max(...numbers)].map(number => number.toFixed(2).padStart(6)).join(' ');
}

function percent(share) {
  return `${Math.round(share * 100)} %`;
}

function columns(lines) {
  const widths = lines[0].map((_, i) => Math.max(...lines.map(line => line[i].length)));
  return lines.map(line => line.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join('  ')).join('\n');
}
