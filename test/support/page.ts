/** A page of the documentation, as far as tests look at it: its samples, its headings, its links. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ROOT } from './app';

/** What stands between two fences. */
export interface Sample {
  /** As the fence names it. */
  readonly language: string;
  /** What the comment on the first line says, as `client`. Empty if there is none. */
  readonly title: string;
  /** Of a file of an app. */
  readonly path: string | undefined;
  /** The one it is for, where the title has it in brackets, as `test/mock.js (egg 3)`. */
  readonly host: string | undefined;
  readonly code: string;
  /** As docs/rooms.md:12 */
  readonly place: string;
  /** The number of the code's first line in the page. */
  readonly line: number;
}

export interface Page {
  /** From the project's root. */
  readonly path: string;
  readonly samples: readonly Sample[];
  readonly headings: readonly string[];
  /** The targets of links and images. */
  readonly links: readonly string[];
}

export async function readPage(path: string): Promise<Page> {
  const samples: Sample[] = [];
  const prose: string[] = [];
  let fence: { language: string; line: number; code: string[] } | undefined;
  for (const [index, text] of (await readFile(join(ROOT, path), 'utf8')).split('\n').entries()) {
    const [, language] = /^```(.*)$/.exec(text) ?? [];
    if (language === undefined) (fence?.code ?? prose).push(text);
    else if (!fence) fence = { language, line: index + 2, code: [] };
    else {
      samples.push(toSample(path, fence));
      fence = undefined;
    }
  }
  const text = prose.join('\n').replaceAll(/`[^`\n]*`/g, code => code.replaceAll('[', ' '));
  return {
    path,
    samples,
    headings: prose.flatMap(line => /^#+ +(.+?)\s*$/.exec(line)?.[1] ?? []),
    links: [...text.matchAll(/\]\(([^)\s]+)\)|(?:src|href)="([^"]+)"/g)].map(([, markdown, html]) => markdown ?? html ?? ''),
  };
}

/** A sample of a page, by what its first line says. */
export async function sampleOf(path: string, name: string): Promise<string> {
  const found = (await readPage(path)).samples.find(({ title }) => title === name);
  if (!found) throw new Error(`${path} has no ${name}`);
  return found.code;
}

/** The anchor that GitHub gives to a heading. */
export function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
    .replaceAll(/\s/g, '-');
}

function toSample(page: string, { language, line, code }: { language: string; line: number; code: string[] }): Sample {
  const [, title = ''] = /^(?:\/\/|#|<!--) *(.+?)(?: *-->)?$/.exec(code[0] ?? '') ?? [];
  const [, path, host] = /^([\w./-]+\.(?:js|py|ts|html))(?: \((egg \d)\))?$/.exec(title) ?? [];
  return { language, title, path, host, code: `${code.join('\n')}\n`, place: `${page}:${line}`, line };
}
