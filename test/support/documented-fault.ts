/** The table of faults in docs/backends.md: what it says of a fault is compared with what the test of this fault sees. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Server } from 'socket.io';
import { ROOT } from './app';
import { type Client, next } from './client';

const ADAPTERS = ['redis', 'redis-sharded', 'redis-streams', 'postgres'];

/** What a row may say of emits to clients of other servers. */
const STAY = 'emits stay on their server';
const ARRIVE = 'emits arrive everywhere';
/** The event of such an emit. */
const DURING = 'during the fault';

export interface DocumentedFault {
  /** While it lasts: questions of a server fail, with a code of the row, or are answered, as the row says. */
  questions(server: { readonly io: Pick<Server, 'fetchSockets'> }): Promise<void>;
  /** While it lasts: an emit of a server arrives at a client of another one, or will never have arrived at the end, as the row says. */
  emits(server: { readonly io: Pick<Server, 'emit'> }, client: Client): Promise<void>;
  /**
   * At its end: the lines of the plugin in the log of a server have the codes and the quotes of the row, no other codes, and each once if
   * the row says so; and questions and emits have been compared, if the row has a word about them.
   */
  log(lines: readonly string[]): void;
}

/** @param fault a cell of the column with this name */
export function documentedFault(adapter: string, fault: string): DocumentedFault {
  const row = rows().find(([backends = '', name = '']) => name.replaceAll('`', '') === fault && isOf(adapter, backends));
  assert.ok(row, `docs/backends.md has no fault '${fault}' of ${adapter}`);
  const [, , clients = '', beginning = '', end = ''] = row;
  const codes = [...new Set(beginning.match(/(?<=`)IO_\w+/g))];
  let hasAsked = false;
  let hasEmitted = false;
  let hasArrived = false;
  return {
    async questions({ io }) {
      hasAsked = true;
      const failure = await io.fetchSockets().then(
        () => undefined,
        (error: unknown) => (error as { code?: string }).code ?? error, // an OutageError has one
      );
      if (clients.includes('questions fail')) assert.ok(codes.includes(String(failure)), `${fault}: ${String(failure)}`);
      else assert.equal(failure, undefined, fault);
    },
    async emits({ io }, client) {
      hasEmitted = true;
      const arrived = next(client, DURING).then(() => (hasArrived = true));
      io.emit(DURING);
      if (clients.includes(ARRIVE)) await arrived;
    },
    log(lines) {
      const errors = lines.filter(line => line.startsWith('ERROR'));
      const found = errors.map(line => /IO_\w+/.exec(line)?.[0]);
      assert.deepEqual([...new Set(found)].toSorted(), codes.toSorted(), `${fault}: ${errors.join('\n')}`);
      if (/^one |, once\b/.test(beginning)) assert.equal(errors.length, codes.length, `${fault}: ${errors.join('\n')}`);
      assert.ok(hasAsked || !/questions (fail(?!, or)|are answered)/.test(clients), `${fault}: nothing has been asked`);
      assert.equal(hasEmitted, clients.includes(STAY) || clients.includes(ARRIVE), `${fault}: whether emits have been compared`);
      if (clients.includes(STAY)) assert.ok(!hasArrived, `${fault}: an emit has arrived`);
      hasQuotes(errors.join('\n'), beginning);
      const info = lines.filter(line => line.startsWith('INFO')).join('\n');
      hasQuotes(info, end);
      if (end.includes('the number of lost messages')) assert.match(info, /messages to other servers lost meanwhile: \d+/);
    },
  };
}

/** Each row, with its adapters. */
export function documentedFaults(): { fault: string; adapters: string[] }[] {
  return rows()
    .slice(2) // below the head of the table
    .map(([backends = '', fault = '']) => ({
      fault: fault.replaceAll('`', ''),
      adapters: ADAPTERS.filter(adapter => isOf(adapter, backends)),
    }));
}

function rows(): string[][] {
  const [, section = ''] = /^## Faults\n(.*)/ms.exec(readFileSync(join(ROOT, 'docs/backends.md'), 'utf8')) ?? [];
  return [...section.matchAll(/^\| (.*) \|$/gm)].map(([, row = '']) => row.split(' | ').map(cell => cell.trim()));
}

function isOf(adapter: string, backends: string): boolean {
  return backends === 'all over Redis' ? adapter.startsWith('redis') : backends.split(', ').includes(`\`${adapter}\``);
}

/** Each quote of a cell is there; of those with 'or' between them, one. */
function hasQuotes(text: string, cell: string): void {
  for (const [quotes] of cell.matchAll(/'[^']+'(?:(?:, | or )'[^']+')*/g)) {
    const all = [...quotes.matchAll(/'([^']+)'/g)].map(([, quote = '']) => quote);
    const isThere = (quote: string): boolean => text.includes(quote);
    assert.ok(quotes.includes(' or ') ? all.some(isThere) : all.every(isThere), `${cell}: ${text}`);
  }
}
