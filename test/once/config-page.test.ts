/** docs/config.md and docs/limits.md say of each option what its declaration says. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import ts from 'typescript-5.9';
import { ROOT, startApp } from '../support/app';
import { INIT_DEFAULTS, INIT_TYPES } from '../support/parts';

/** Which declaration a section of the page lists. */
const SECTIONS: Record<string, string> = {
  'config.io': 'IoConfig',
  "config.io.namespace['/']": 'NamespaceConfig',
  "config.io.namespace['/'].userLimits": 'UserLimits',
  "config.io.namespace['/'].history['room:*']": 'HistoryConfig',
  "config.io.namespace['/'].presence['room:*']": 'PresenceConfig',
  'config.io.accessLog': 'AccessLogConfig',
  'config.io.drain': 'DrainConfig',
  'config.io.prometheus': 'PrometheusConfig',
  'config.io.tracing': 'TracingConfig',
  'config.io.admin': 'AdminConfig',
  'config.io.adminUi': 'AdminUiConfig',
  'config.io.adminUi.auth': 'AdminUiPassword',
  'config.io.auth': 'AuthConfig',
  "config.io.namespace['/'].auth": 'NamespaceAuth',
  "config.io.namespace['/'].auth.recheck": 'RecheckConfig',
  'config.io.limits': 'LimitsConfig',
  'config.io.limits.events': 'EventsLimit',
  'config.io.limits.pending': 'PendingLimit',
  'config.io.limits.namespaces': 'NamespacesLimit',
  'config.io.limits.perAddress': 'PerAddressLimit',
  "config.io.limits.perEvent['typing']": 'EventRate',
  'config.io.limits.rooms': 'RoomsLimit',
  'config.io.limits.recovery': 'RecoveryLimit',
  'config.io.redis': 'RedisConfig',
  'All adapters': 'Answers',
  redis: 'RedisPubSub',
  'redis-sharded': 'RedisSharded',
  'redis-streams': 'RedisStreams',
  'mongo and postgres': 'Heartbeats',
  mongo: 'Mongo',
  postgres: 'Postgres',
};

type Row = Record<'option' | 'type' | 'default' | 'since' | 'what it is', string>;

test('the page lists each option as it is declared, and no others', async () => {
  const declared = await declaredOptions();
  const page = await sectionsOfPage();
  for (const [section, name] of Object.entries(SECTIONS)) {
    const expected = declared.get(name) ?? [];
    assert.ok(expected.length > 0, name);
    assert.deepEqual(page.get(section), expected, section);
    declared.delete(name);
  }
  const ofInit = page.get('config.io.init') ?? [];
  for (const own of declared.get('InitOptions') ?? [])
    assert.deepEqual(
      ofInit.find(({ option }) => option === own.option),
      { ...own, type: typeOfInit(own.option) },
    );
  declared.delete('InitOptions');
  assert.deepEqual([...declared.keys()], [], 'each declaration has its section');
});

test('the page lists each option of init with its types and, where it can be seen, the default of a running app', async t => {
  const rows = (await sectionsOfPage()).get('config.io.init') ?? [];
  assert.deepEqual(
    rows.map(({ option, type }) => [option, type]),
    Object.keys(INIT_TYPES).map(name => [`\`${name}\``, typeOfInit(`\`${name}\``)]),
  );
  const { app, io, url } = await startApp(t, {});
  assert.deepEqual(app.config['io'], { init: INIT_DEFAULTS, namespace: { '/': { connectionMiddleware: [], packetMiddleware: [] } } });
  await (await fetch(`${url}/socket.io/`)).body?.cancel();
  const seen: Record<string, unknown> = {
    ...Object(Reflect.get(io, 'opts')),
    ...Object(io.engine.opts),
    ...INIT_DEFAULTS,
    path: io.path(),
    connectTimeout: Reflect.get(io, '_connectTimeout'),
    serveClient: io.serveClient(),
  };
  let compared = 0;
  for (const row of rows) {
    const name = row.option.slice(1, -1);
    const literal = /^`(.*)`$/.exec(row.default)?.[1];
    if (literal === undefined || !Object.hasOwn(seen, name)) continue;
    compared++;
    assert.deepEqual(seen[name], JSON.parse(literal.replaceAll("'", '"')), name);
  }
  assert.ok(compared >= 15, `${compared} defaults are compared`);
});

/** As the page has it. */
function typeOfInit(option: string): string {
  const types: readonly string[] = INIT_TYPES[option.slice(1, -1) as keyof typeof INIT_TYPES]; // the names are compared first
  return types.join(' or ');
}

/** The members of each interface, by its name. */
async function declaredOptions(): Promise<Map<string, Row[]>> {
  const interfaces = new Map<string, Row[]>();
  for (const file of [
    'options',
    'namespace-options',
    'limits',
    'limit-options',
    'rate-limits',
    'adapter-options',
    'prometheus',
    'admin',
    'admin-ui',
    'auth-options',
    'access-log',
    'drain',
    'tracing',
  ]) {
    const source = ts.createSourceFile(file, await readFile(join(ROOT, `src/config/${file}.ts`), 'utf8'), ts.ScriptTarget.Latest, true);
    for (const declaration of source.statements.filter(ts.isInterfaceDeclaration).filter(({ name }) => !name.text.endsWith('Settings'))) {
      const members = declaration.members.filter(ts.isPropertySignature).filter(member => member.name.getText() !== 'name');
      interfaces.set(declaration.name.text, members.map(rowOf));
    }
  }
  return interfaces;
}

function rowOf(member: ts.PropertySignature): Row {
  const option = member.name.getText();
  const [comment] = ts.getJSDocCommentsAndTags(member);
  const text = typeof comment?.comment === 'string' ? comment.comment.replaceAll(/\s+/g, ' ') : '';
  const [, description, fallback, since] = /^(.+) Default: (.+?)\. Since (\d)\.$/.exec(text) ?? [];
  if (!description || !fallback || !since)
    throw new Error(`${option}: say what it is, 'Default: ...' and 'Since ...', rather than '${text}'`);
  const type = `\`${member.type?.getText()}\``;
  return { option: `\`${option}\``, type, default: fallback, since, 'what it is': description };
}

/** The rows of the table in each section, by its heading. */
async function sectionsOfPage(): Promise<Map<string, Row[]>> {
  const pages = await Promise.all(['config', 'limits'].map(async page => readFile(join(ROOT, `docs/${page}.md`), 'utf8')));
  const sections = pages.flatMap(page => page.split(/^##+ /m).slice(1));
  return new Map(
    sections.map(section => {
      const [heading = '', ...lines] = section.split('\n');
      const [head = [], , ...rows] = lines.filter(line => line.startsWith('|')).map(cellsOf);
      return [heading.replaceAll('`', ''), rows.map(cells => Object.fromEntries(cells.map((cell, i) => [head[i], cell])) as Row)]; // its columns are compared
    }),
  );
}

function cellsOf(line: string): string[] {
  const cells = line.split(/(?<!\\)\|/).slice(1, -1);
  return cells.map(cell => cell.trim().replaceAll('\\|', '|'));
}
