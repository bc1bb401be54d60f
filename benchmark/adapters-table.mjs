/** The table of docs/adapters.md, made of the results of the adapters scenarios. */

const TO = {
  'adapters-all': 'all 200 clients',
  'adapters-room': 'a room of 20, 5 of each worker',
  'adapters-one': 'a room of 20, all of one worker',
};

export const ADAPTERS_SCENARIOS = Object.keys(TO);

/** @param results by scenario */
export function adaptersTables(results) {
  const head = ['emit to', '', 'deliveries per CPU second', 'p50, ms', 'p99, ms'];
  const lines = Object.entries(TO).flatMap(([name, to]) =>
    results[name].rows.map(({ label, value, extras }, i) => [
      i === 0 ? to : '',
      label === 'hub' ? label : `\`${label}\``,
      range(value.map(us => 1e6 / us).toReversed(), rate),
      ...['p50 ms', 'p99 ms'].map(name => range(extras[name], ms)),
    ]),
  );
  return [[head, ...lines]];
}

function range([min, median, max], text) {
  return `${text(median)} (${text(min)} - ${text(max)})`;
}

function rate(number) {
  return Number(number.toPrecision(3)).toLocaleString('en');
}

function ms(number) {
  return number.toFixed(number < 10 ? 1 : 0);
}
