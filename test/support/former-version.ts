/** The plugin as it was published as 5.0.0, built from the repository: during a rolling deploy servers of both versions share a backend. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type * as adapter from '../../dist/backplane/adapter';
import type * as config from '../../dist/config/settings';
import type * as deprecations from '../../dist/deprecated/deprecations';
import { ROOT } from './app';

const COMMIT = '517e2ff';

/** What servers are made of. */
export interface Parts {
  readonly createAdapterFactory: typeof adapter.createAdapterFactory;
  readonly createBackplane: typeof adapter.createBackplane;
  readonly readConfig: typeof config.readConfig;
  readonly Deprecations: typeof deprecations.Deprecations;
}

/** Builds it, unless that has been done. Undefined in a clone that does not reach back to it. */
export async function partsOfFormerVersion(): Promise<Parts | undefined> {
  const run = promisify(execFile);
  const isThere = await run('git', ['cat-file', '-e', `${COMMIT}^{commit}`], { cwd: ROOT }).then(
    () => true,
    () => false,
  );
  if (!isThere) return undefined;
  const folder = join(ROOT, '.build/former-version', COMMIT); // below the project, whose packages it finds
  if (!existsSync(folder)) {
    const fresh = `${folder}.${process.pid}`; // a build that has failed must not be taken for one
    try {
      await mkdir(fresh, { recursive: true });
      const archive = join(fresh, 'archive.tar');
      await run('git', ['archive', '--output', archive, COMMIT, 'src', 'tsconfig.json', 'package.json'], { cwd: ROOT });
      await run('tar', ['-xf', archive, '-C', fresh]);
      const compiler = join(ROOT, 'node_modules/typescript/bin/tsc');
      await run(process.execPath, [compiler, '-p', fresh, '--outDir', join(fresh, 'dist'), '--declaration', 'false', '--noCheck']);
      await rename(fresh, folder);
    } finally {
      await rm(fresh, { recursive: true, force: true });
    }
  }
  const load = (file: string): unknown => require(join(folder, 'dist', file)); // compiled just now
  return { ...(load('backplane/adapter') as object), ...(load('config/settings') as object), ...(load('deprecations') as object) } as Parts;
}
