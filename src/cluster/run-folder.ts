/**
 * The folder in which the processes of an app meet: a socket for each worker, one for the hub, and the secret that its workers share.
 * Nobody but the user who runs the app can enter it.
 */
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, linkSync, lstatSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { isMainThread } from 'node:worker_threads';
import { SetupError } from '../errors';

/** A socket's path may have 103 bytes on macOS, 107 on Linux; what is longer is cut off without a word. */
const MAX_PATH_LENGTH = 103;
const PREFIX = 'io-';
const WORKER_SOCKET = /^worker-(\d+)\.sock$/;
/** Hosts, containers among them, may share the file system, and have processes of the same number. */
const HOST = createHash('sha256').update(hostname()).digest('hex').slice(0, 6);
const NAME = new RegExp(`^${PREFIX}${HOST}-\\d+-\\d+$`);
const LONGEST_NAME = 'worker-999999999.sock';

/** Read at once: a process whose master has gone has another parent. Threads share the master's process. */
const MASTER = isMainThread ? process.ppid : process.pid;

export class RunFolder {
  readonly path: string;
  /** Why it is not in Egg's own folder, where it is not. */
  readonly problem: string | undefined;
  /** Known to the processes of this start of the app, and to nobody else. */
  readonly secret: string;

  private constructor(path: string, secret: string, problem: string | undefined) {
    this.path = path;
    this.secret = secret;
    this.problem = problem;
  }

  /**
   * Opens the folder of this start of the app, and makes it where it is missing: whichever process comes first.
   *
   * @param rundir Egg's own folder for what exists while an app runs. Where it is of no use, the system's for temporary files is taken.
   * @param start what all processes of this start have in common and no other app has
   * @throws SetupError where neither can be used
   */
  static open(rundir: string, start: string): RunFolder {
    if ('connected' in process && !process.connected) throw new Error('the master has gone: there is nobody to meet'); // it forked this process while it ended
    const problems: string[] = [];
    for (const parent of [rundir, tmpdir()]) {
      const path = join(parent, `${PREFIX}${HOST}-${start}`);
      try {
        if (Buffer.byteLength(join(path, LONGEST_NAME)) > MAX_PATH_LENGTH) throw new Error('the path is too long for a socket');
        makePrivateFolder(parent, path);
        return new RunFolder(path, openSecret(path), problems[0]);
      } catch (error) {
        problems.push(`${path}: ${(error as Error).message}`); // of this try, or of Node
      }
    }
    throw new SetupError(
      'IO_RUN_FOLDER_UNUSABLE',
      `the workers find no folder to meet in (${problems.join('; ')}); make one of them usable, or set config.io.cluster to false and start with --sticky`,
    );
  }

  /** The name that all processes of one start of an app derive alike: those of the same master. A single process has none. */
  static startOf(clusterPort: number | undefined): string {
    return clusterPort === undefined ? `${process.pid}-0` : `${MASTER}-${clusterPort}`;
  }

  get hub(): string {
    return join(this.path, 'hub.sock');
  }

  /** @param id digits only: it may come from a client */
  workerSocket(id: string): string {
    return join(this.path, `worker-${id}.sock`);
  }

  /** Whether a worker of this id has opened its socket. Of one that was killed the socket is still there. */
  hasWorker(id: string): boolean {
    return existsSync(this.workerSocket(id));
  }

  /** The ids of those that have opened their sockets. Of some that were killed the sockets are still there. None if somebody has removed the folder. */
  workers(): string[] {
    try {
      return readdirSync(this.path).flatMap(name => WORKER_SOCKET.exec(name)?.[1] ?? []);
    } catch (error) {
      if (isMissing(error)) return [];
      throw error;
    }
  }

  /** Whether a worker other than this one listens at its socket. */
  async hasOthers(id: string): Promise<boolean> {
    return isInUse(
      this.workers()
        .filter(other => other !== id)
        .map(other => this.workerSocket(other)),
    );
  }

  /** Removes what starts of the app that were killed have left beside it. */
  async sweep(): Promise<void> {
    const parent = join(this.path, '..');
    for (const name of readdirSync(parent)) {
      const path = join(parent, name);
      if (NAME.test(name) && path !== this.path) await removeUnused(path, () => isPrivate(path) && !isBeginning(path));
    }
  }

  /** Removes it, if nobody uses it any more. */
  async remove(): Promise<void> {
    await removeUnused(this.path, () => isPrivate(this.path));
  }
}

function makePrivateFolder(parent: string, path: string): void {
  mkdirSync(parent, { recursive: true });
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  if (!isPrivate(path)) throw new Error('it is open to other users, or belongs to one');
}

/** Where anybody may make a folder, somebody may have made this one before us. */
function isPrivate(path: string): boolean {
  const stats = lstatSync(path);
  return stats.isDirectory() && stats.uid === process.getuid?.() && (stats.mode & 0o077) === 0;
}

/** It may be one of an app that is just starting, whose first socket is not open yet. */
function isBeginning(path: string): boolean {
  return socketsIn(path).length === 0 && Date.now() - lstatSync(path).mtimeMs < 60_000;
}

/** Removes a folder that nobody listens in. Another process may be about to do the same. */
async function removeUnused(path: string, isOurs: () => boolean): Promise<void> {
  try {
    if (isOurs() && !(await isInUse(socketsIn(path)))) await rm(path, { recursive: true, force: true });
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
}

function isMissing(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ENOENT'; // of Node's file system
}

function openSecret(folder: string): string {
  const file = join(folder, 'secret');
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
  // written whole or not at all: another process may look while this one writes
  const own = join(folder, `secret-${randomBytes(6).toString('hex')}`);
  writeFileSync(own, randomBytes(32).toString('hex'), { mode: 0o600 });
  try {
    linkSync(own, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    rmSync(own);
  }
  return readFileSync(file, 'utf8');
}

function socketsIn(folder: string): string[] {
  return readdirSync(folder)
    .filter(name => name.endsWith('.sock'))
    .map(name => join(folder, name));
}

/** Whether any process listens at one of them. */
async function isInUse(sockets: string[]): Promise<boolean> {
  return (await Promise.all(sockets.map(accepts))).includes(true);
}

async function accepts(path: string): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', ({ code }: NodeJS.ErrnoException) => resolve(code !== 'ECONNREFUSED' && code !== 'ENOENT')); // or it is busy
  });
}
