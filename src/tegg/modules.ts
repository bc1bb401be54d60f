/** The files of modules, which nothing loads while tegg is off. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

const MODULES = 'app/module';

/** TypeScript or JavaScript. */
const CODE = /(?<!\.d)\.[cm]?[jt]s$/;
const PACKAGES = /(?:^|[/\\])node_modules[/\\]/;

/** Comments of lines of their own: what is commented out is no import. */
const COMMENTS = /^[ \t]*\/\*.*?\*\//gms;
/** An import, also as compilers write it. It begins the line, or ends one that begins with a brace. */
const IMPORT = /^(?:import|export|const|let|var|\}).*(?:from|require\()\s*["']egg-socket\.io\/tegg["']/m;

/** The first file that imports our decorators, as a path in the app. Modules of other folders are left out: only tegg knows them. */
export function decoratedFileIn(baseDir: string): string | undefined {
  const folder = join(baseDir, MODULES);
  if (!existsSync(folder)) return undefined;
  const names = readdirSync(folder, { encoding: 'utf8', recursive: true }).filter(name => CODE.test(name) && !PACKAGES.test(name));
  const name = names.toSorted().find(name => hasDecorators(join(folder, name)));
  return name === undefined ? undefined : `${MODULES}/${name.replaceAll('\\', '/')}`;
}

function hasDecorators(path: string): boolean {
  const isFile = statSync(path, { throwIfNoEntry: false })?.isFile(); // a link may lead nowhere
  return isFile === true && IMPORT.test(readFileSync(path, 'utf8').replaceAll(COMMENTS, ''));
}
