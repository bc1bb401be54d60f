/** The files of modules, which nothing loads while tegg is off. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

const MODULES = 'app/module';

/** The first file with our decorators, as a path in the app. Modules of other folders are left out: only tegg knows them. */
export function decoratedFileIn(baseDir: string): string | undefined {
  const folder = join(baseDir, MODULES);
  if (!existsSync(folder)) return undefined;
  const isCode = (file: string): boolean => /(?<!\.d)\.[cm]?[jt]s$/.test(file) && !/(^|[/\\])node_modules[/\\]/.test(file);
  const files = readdirSync(folder, { encoding: 'utf8', recursive: true }).filter(isCode).toSorted();
  const file = files.find(
    name => statSync(join(folder, name)).isFile() && readFileSync(join(folder, name), 'utf8').includes('egg-socket.io/tegg'),
  );
  return file === undefined ? undefined : `${MODULES}/${file.replaceAll('\\', '/')}`;
}
