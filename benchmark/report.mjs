/** Results: what remains of the samples, as text for the terminal and as Markdown. */

/** How busy the generator may be before it, and not the server, may be what limits. */
const BUSY = 0.85;

/** Minimum, median and maximum of each number. Ratios are taken to the base's sample of the same round. */
export function summarize(rows) {
  return rows.map(({ label, base, samples, versions }) => {
    const bases = (rows.find(row => row.label === base) ?? rows[0]).samples;
    const of = pick => (pick(samples[0]) === undefined ? undefined : spread(samples.map(pick)));
    return {
      label,
      versions,
      value: of(({ value }) => value),
      ratio: spread(samples.map(({ value }, round) => value / bases[round].value)),
      perSecond: of(({ perSecond }) => perSecond),
      serverBusy: of(({ serverBusy }) => serverBusy),
      generatorBusy: of(({ generatorBusy }) => generatorBusy),
      extras: Object.fromEntries(Object.keys(samples[0].extras ?? {}).map(name => [name, of(({ extras }) => extras[name])])),
    };
  });
}

/** Lines of cells. The first is the head. */
export function table({ unit, rows }) {
  const extras = Object.keys(rows[0].extras);
  const head = ['', unit, 'ratio', ...(rows[0].perSecond ? ['per second', 'server busy', 'generator busy'] : []), ...extras];
  const lines = rows.map(({ label, value, ratio, perSecond, serverBusy, generatorBusy, extras }) => [
    label,
    range(value),
    range(ratio),
    ...(perSecond ? [Math.round(perSecond[1]).toLocaleString('en'), percent(serverBusy[1]), percent(generatorBusy[2])] : []),
    ...Object.values(extras).map(range),
  ]);
  return [head, ...lines];
}

/** What to know about the result before it is believed. */
export function doubts({ rows }) {
  const idle = rows.filter(({ serverBusy }) => serverBusy && serverBusy[1] < BUSY);
  const limited = idle.filter(({ generatorBusy }) => generatorBusy[1] > BUSY);
  const starved = idle.filter(row => !limited.includes(row));
  return [
    ...limited.map(({ label }) => `The generator was too busy to keep ${label} busy.`),
    ...(starved.length > 0
      ? [`Something else than the generator kept these from being busy: ${starved.map(({ label }) => label).join(', ')}.`]
      : []),
  ];
}

export function asText(lines) {
  const widths = lines[0].map((_, i) => Math.max(...lines.map(line => line[i].length)));
  return lines.map(line => line.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join('   ')).join('\n');
}

export function asMarkdown([head, ...lines]) {
  const line = cells => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map((_, i) => (i === 0 ? '---' : '--:'))), ...lines.map(line)].join('\n');
}

function spread(numbers) {
  const sorted = numbers.toSorted((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  const median = (sorted[Math.floor(middle)] + sorted[Math.ceil(middle)]) / 2;
  return [sorted[0], median, sorted.at(-1)].map(number => Number(number.toPrecision(4)));
}

function range([min, median, max]) {
  return `${short(median)} (${short(min)} - ${short(max)})`;
}

function short(number) {
  return number.toFixed(number < 1 ? 3 : number < 100 ? 2 : 0);
}

function percent(share) {
  return `${Math.round(share * 100)} %`;
}
