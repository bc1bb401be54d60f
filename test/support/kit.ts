/** An app of a few files, and its clients by the package's own test kit. */
import { join } from 'node:path';
import type { Application } from 'egg';
import { type IoTest, ioTest, type IoTestOptions } from 'egg-socket.io/test';
import { type Files, hostFolder, removeApp, writeApp } from './app';
import type { Lifetime } from './lifetime';

/** Starts the app. It is closed and removed when the test, or the file, ends. */
export async function ioApp<App = Application>(t: Lifetime, files: Files, options: IoTestOptions = {}): Promise<IoTest<App>> {
  const baseDir = await writeApp(files);
  const starting = ioTest<App>({ baseDir, framework: join(hostFolder(), 'node_modules/egg'), ...options });
  t.after(async () => {
    const kit = await starting.catch(() => undefined); // it may not have started
    await kit?.close();
    await removeApp(baseDir);
  });
  return starting;
}
