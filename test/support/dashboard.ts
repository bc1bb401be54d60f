/** docs/grafana.json: what its panels ask Prometheus. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ROOT } from './app';

interface Dashboard {
  readonly panels: readonly { readonly title: string; readonly targets: readonly { readonly expr: string }[] }[];
}

/** The expressions of all panels, with values for the variables of Grafana. */
export async function expressions(): Promise<{ title: string; query: string }[]> {
  const { panels } = JSON.parse(await readFile(join(ROOT, 'docs/grafana.json'), 'utf8')) as Dashboard;
  return panels.flatMap(({ title, targets }) =>
    targets.map(({ expr }) => ({ title, query: expr.replaceAll('$job', '.*').replaceAll('$__rate_interval', '1m') })),
  );
}
