import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join, posix } from 'node:path';
import { test } from 'node:test';
import { chromium } from 'playwright-core';
import { type Files, HOST, ROOT, startApp } from './support/app';
import { anchorOf, readPage } from './support/page';
import { Reader } from './support/reader';

const GUIDES = readdirSync(join(ROOT, 'docs'))
  .filter(name => name.endsWith('.md'))
  .map(name => `docs/${name}`);
const PAGES = [
  'README.md',
  'README.zh-CN.md',
  'ARCHITECTURE.md',
  'CHANGELOG.md',
  'CONTRIBUTING.md',
  'SECURITY.md',
  'benchmark/README.md',
  'example/mini-program/README.md',
  ...GUIDES,
];

/** It starts several clusters behind proxies. That clusters work on egg 3 is in cluster.test.ts. */
const ON_EGG4 = ['docs/cluster.md'];

for (const path of PAGES) {
  const skip = HOST !== 'egg4' && ON_EGG4.includes(path) && 'it runs on egg 4';
  test(`every sample of ${path} runs and does what the page says`, { timeout: 240_000, skip }, async t => {
    await new Reader(t, await readPage(path)).follow();
  });

  test(`every link of ${path} leads somewhere`, async () => {
    const { links } = await readPage(path);
    for (const link of links.filter(link => !/^(https?|mailto):/.test(link))) {
      const [file = '', anchor] = link.split('#');
      const target = file === '' ? path : posix.join(posix.dirname(path), file);
      if (path.startsWith('docs/')) assert.match(target, /^docs\//, `${link} of ${path}: only docs/ is in the package`);
      await assert.doesNotReject(stat(join(ROOT, target)), `${link} of ${path}: there is no ${target}`);
      if (anchor === undefined) continue;
      const anchors = (await readPage(target)).headings.map(anchorOf);
      assert.ok(anchors.includes(anchor), `${link} of ${path}: the headings there are ${anchors.join(', ')}`);
    }
  });
}

test('two people talk on the web pages of the guides', { timeout: 60_000 }, async t => {
  const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu'] });
  t.after(() => browser.close());
  for (const path of GUIDES) {
    const { samples } = await readPage(path);
    const webPage = samples.find(({ language }) => language === 'html')?.path;
    if (webPage === undefined) continue;
    const files: Files = Object.fromEntries(samples.flatMap(({ path, code }) => (path === undefined ? [] : [[path, code]])));
    const { url } = await startApp(t, files);
    const open = async (name: string) => {
      const page = await browser.newPage();
      page.on('dialog', dialog => void dialog.accept(name));
      await page.goto(url + webPage.replace(/^app/, ''));
      return page;
    };
    const [alice, bob] = [await open('Alice'), await open('Bob')];
    await alice.locator('#text').fill('hello');
    await alice.locator('#text').press('Enter');
    for (const page of [alice, bob]) await page.getByText('Alice: hello').waitFor();
    const nobody = await open('');
    await nobody.getByText('Not connected: Tell us your name').waitFor();
  }
});

test('a web page without a bundler imports the helpers of the client', { timeout: 60_000 }, async t => {
  const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu'] });
  t.after(() => browser.close());
  const { samples } = await readPage('docs/getting-started.md');
  const files: Files = Object.fromEntries(samples.flatMap(({ path, code }) => (path === undefined ? [] : [[path, code]])));
  const { url } = await startApp(t, files);
  const page = await browser.newPage();
  page.on('dialog', dialog => void dialog.accept('Alice'));
  await page.goto(`${url}/public/index.html`);
  await page.addScriptTag({ type: 'module', url: '/public/send.js' });
  await page.getByText('{"delivered":true}').waitFor();
  await page.getByText('Carl: sent').waitFor();
});

test('a sample that no test knows, one that states no result and one that states a wrong one are found', async t => {
  const follow = (language: string, ...lines: string[]): Promise<void> => {
    const sample = {
      language,
      title: lines[0]?.slice(3) ?? '',
      path: undefined,
      host: undefined,
      code: lines.join('\n'),
      place: 'page:1',
      line: 1,
    };
    return new Reader(t, { path: 'page', samples: [sample], headings: [], links: [] }).follow();
  };
  await assert.rejects(follow('js', '// a fragment'), /page:1: no test knows/);
  await assert.rejects(follow('sh', 'rm -rf node_modules'), /unknown command/);
  await assert.rejects(follow('sh', 'node --test test/*.test.js # => 1 tests pass'), /not 1 tests pass/);
  await assert.rejects(follow('diff', '-one line', '+another'), /no file of this page/);
  await assert.rejects(follow('text', '[egg-socket.io] nobody says this'), /not in the log/);
  await assert.rejects(follow('json', '{ a: 1 }'), isOfSyntax);
  await assert.rejects(follow('js', '// client', 'io();'), /states no result/);
  await assert.rejects(follow('js', '// client', "console.log('yes'); // => no"), /it prints yes, but says no/);
  await assert.rejects(
    follow('js', '// mini program', 'console.log(typeof document); // => object'),
    /it prints undefined, but says object/,
  );
  await assert.rejects(follow('js', '// mini program', "eval('1');", 'console.log(1); // => 1'), /eval is not defined/);
  await assert.rejects(follow('js', '// client', "io('/nowhere');", "console.log('yes'); // => yes, then no"), /Invalid namespace/);
});

test('every code in the source has its place on the errors page, and none is there that is not', async () => {
  const { headings } = await readPage('docs/errors.md');
  const explained = headings.filter(heading => /^[A-Z_]+$/.test(heading));
  const folder = join(ROOT, 'src');
  const sources = await Promise.all(
    (await readdir(folder, { recursive: true })).filter(name => name.endsWith('.ts')).map(name => readFile(join(folder, name), 'utf8')),
  );
  const code = sources.join('\n').replaceAll(/^\s*(\/\/|\/?\*).*$/gm, ''); // an example in a comment may have a code of its own
  // those of Node begin with ERR_
  const found = [...code.matchAll(/\bIO_[A-Z_]+\b|'((?!ERR_)[A-Z]+_[A-Z_]+)'|Error\('([A-Z]+)'/g)].map(
    ([whole, quoted, single]) => quoted ?? single ?? whole,
  );
  const made = 'INTERNAL_SERVER_ERROR'; // from the text of status 500
  assert.deepEqual(explained.toSorted(), [...new Set([...found, made])].toSorted());
});

for (const path of ['README.md', 'docs/mini-program.md']) {
  test(`both languages of ${path} have the same samples, links and sections`, async () => {
    const [english, chinese] = await Promise.all([path, path.replace('.md', '.zh-CN.md')].map(readPage));
    assert.ok(english && chinese);
    const content = ({ samples, links, headings }: typeof english): object => ({
      samples: samples.map(({ code }) => code.replaceAll(/ *(?:\/\/|#) (?!=>).*$/gm, '')), // comments are translated
      links: links.map(link => link.replace('.zh-CN.md', '.md').replace(/#.*/, '')),
      sections: headings.length,
    });
    assert.deepEqual(content(chinese), content(english));
  });
}

function isOfSyntax(error: Error): boolean {
  return error.cause instanceof SyntaxError;
}
