/**
 * Draws the folders of src, from their imports, between two markers of ARCHITECTURE.md.
 *
 * npm run drawing              writes it
 * npm run drawing -- --check   exits with 1 if the one that is there is out of date
 *
 * A circle of folders cannot be drawn: it ends with 1 as well, and names them.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const PAGE = join(ROOT, 'ARCHITECTURE.md');
const PLACE = /(?<=<!-- folders -->\n).*?(?=<!-- \/folders -->)/s;
const IMPORT = /(?:from|import\() ?'(\.[^']*)'/g;

const page = readFileSync(PAGE, 'utf8');
const drawn = page.replace(PLACE, () => `\n\`\`\`text\n${draw(readImports())}\n\`\`\`\n\n`);
if (!process.argv.includes('--check')) writeFileSync(PAGE, drawn);
else if (drawn !== page) {
  console.error('the drawing of folders in ARCHITECTURE.md is out of date: npm run drawing');
  process.exitCode = 1;
}

/** What each folder, or file beside the folders, imports: types count, too. */
function readImports() {
  const imports = new Map();
  for (const file of readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' }).filter(name => name.endsWith('.ts'))) {
    const path = file.replaceAll('\\', '/');
    const from = partOf(path);
    if (!imports.has(from)) imports.set(from, new Set());
    for (const [, target] of readFileSync(join(ROOT, 'src', file), 'utf8').matchAll(IMPORT)) {
      const to = partOf(`${posix.join(posix.dirname(path), target)}.ts`);
      if (to !== from) imports.get(from).add(to);
    }
  }
  return imports;
}

function partOf(path) {
  const [first, ...rest] = path.split('/');
  return rest.length > 0 ? `${first}/` : first;
}

/** One line a part, those that import it above it. What a part reaches by way of another one is left out. */
function draw(imports) {
  const reached = new Map([...imports.keys()].map(part => [part, reach(imports, part)]));
  const circle = [...imports.keys()].filter(part => reached.get(part).has(part));
  if (circle.length > 0) throw new Error(`these import each other: ${circle.join(', ')}`);
  const layerOf = part => Math.max(-1, ...[...reached.get(part)].map(layerOf)) + 1;
  const layers = groupBy([...imports.keys()].sort(byName), layerOf);
  const width = Math.max(...[...imports.keys()].map(part => part.length)) + 2;
  const line = part => {
    const direct = [...imports.get(part)].sort(byName);
    const needed = direct.filter(to => !direct.some(by => reached.get(by).has(to)));
    return needed.length === 0 ? ` ${part}` : ` ${part.padEnd(width)}──▶ ${needed.join('  ')}`;
  };
  return [...layers.keys()]
    .sort((a, b) => b - a)
    .map(layer => layers.get(layer).map(line).join('\n'))
    .join('\n\n');
}

function reach(imports, part, seen = new Set()) {
  for (const to of imports.get(part) ?? []) {
    if (seen.has(to)) continue;
    seen.add(to);
    reach(imports, to, seen);
  }
  return seen;
}

function byName(a, b) {
  return a < b ? -1 : 1;
}

function groupBy(items, keyOf) {
  const groups = new Map();
  for (const item of items) groups.set(keyOf(item), [...(groups.get(keyOf(item)) ?? []), item]);
  return groups;
}
