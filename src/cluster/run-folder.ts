/**
 * The folder by which the processes of an app find each other: it holds a socket for each worker, one for the hub, and the secret that the
 * workers share. Only the user who runs the app can enter it.
 */
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, linkSync, lstatSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { isMainThread } from 'node:worker_threads';
import { SetupError } from '../errors';

/** In bytes: 103 on macOS, 107 on Linux. A longer path of a socket is truncated without an error. */
const MAX_PATH_LENGTH = 103;
const LONGEST_SOCKET_NAME = 'worker-999999999.sock';
const WORKER_SOCKET = /^worker-(\d+)\.sock$/;

/** Hosts, such as containers, may share a file system and have processes with the same pid. */
const HOST = createHash('sha256').update(hostname()).digest('hex').slice(0, 6);
const PREFIX = `io-${HOST}-`;
const FOLDER_NAME = new RegExp(`^${PREFIX}\\d+-\\d+$`);

/** Age in ms up to which a folder without sockets is not removed, since its app may be starting. */
const STARTING_TIME = 60_000;

/** The pid of Egg's master. Read at the start, since a process gets another parent when its master ends. Worker threads run in the master's process. */
const MASTER = isMainThread ? process.ppid : process.pid;

export class RunFolder {
  readonly path: string;
  /** The reason why it is not in Egg's run folder. Undefined if it is. */
  readonly problem: string | undefined;
  /** Known only to the processes of this start of the app. */
  readonly secret: string;

  private constructor(path: string, secret: string, problem: string | undefined) {
    this.path = path;
    this.secret = secret;
    this.problem = problem;
  }

  /**
   * Opens the folder of this start of the app. The first process creates it.
   *
   * @param rundir Egg's run folder. If it is unusable, the system's folder for temporary files is used.
   * @param start the name of this start of the app: see startOf()
   * @throws SetupError if neither is usable
   */
  static open(rundir: string, start: string): RunFolder {
    if ('connected' in process && !process.connected) throw new Error('the master has ended'); // it ended just after it forked this process
    const problems: string[] = [];
    for (const parent of [rundir, tmpdir()]) {
      const path = join(parent, PREFIX + start);
      try {
        if (Buffer.byteLength(join(path, LONGEST_SOCKET_NAME)) > MAX_PATH_LENGTH) throw new Error('the path is too long for a socket');
        makePrivateFolder(parent, path);
        return new RunFolder(path, openSecret(path), problems[0]);
      } catch (error) {
        problems.push(`${path}: ${(error as Error).message}`); // an Error, thrown above or by Node
      }
    }
    throw new SetupError(
      'IO_RUN_FOLDER_UNUSABLE',
      `no folder is usable for the sockets of the workers (${problems.join('; ')}); make one of them usable, or set config.io.cluster to false and start with --sticky`,
    );
  }

  /**
   * The name of this start of the app, the same in all processes of a master and different from those of all other apps.
   *
   * @param clusterPort from Egg's start options. A single process has none.
   */
  static startOf(clusterPort: number | undefined): string {
    return clusterPort === undefined ? `${process.pid}-0` : `${MASTER}-${clusterPort}`;
  }

  get hubSocket(): string {
    return join(this.path, 'hub.sock');
  }

  /** @param id digits only, since it may come from a client */
  workerSocket(id: string): string {
    return join(this.path, `worker-${id}.sock`);
  }

  /** Whether a worker with this id has opened its socket. The socket of a worker that was killed stays. */
  hasWorker(id: string): boolean {
    return existsSync(this.workerSocket(id));
  }

  /** The ids of the workers that have opened their sockets, including those that were killed. Empty if the folder has been removed. */
  workers(): string[] {
    try {
      return readdirSync(this.path).flatMap(name => WORKER_SOCKET.exec(name)?.[1] ?? []);
    } catch (error) {
      if (isMissing(error)) return [];
      throw error;
    }
  }

  /** Whether any worker except this one listens at its socket. */
  async hasOthers(id: string): Promise<boolean> {
    return isInUse(
      this.workers()
        .filter(other => other !== id)
        .map(other => this.workerSocket(other)),
    );
  }

  /** Removes the folders of starts that were killed. */
  async sweep(): Promise<void> {
    const parent = join(this.path, '..');
    for (const name of readdirSync(parent)) {
      const path = join(parent, name);
      if (FOLDER_NAME.test(name) && path !== this.path) await removeUnused(path, () => isPrivate(path) && !isStarting(path));
    }
  }

  /** Removes this folder if no process uses it any more. */
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

/** Whether only this user can enter a folder. In a folder for temporary files, another user may have created it. */
function isPrivate(path: string): boolean {
  const stats = lstatSync(path);
  return stats.isDirectory() && stats.uid === process.getuid?.() && (stats.mode & 0o077) === 0;
}

/** Whether it may be the folder of an app that has not opened its first socket yet. */
function isStarting(path: string): boolean {
  return socketsIn(path).length === 0 && Date.now() - lstatSync(path).mtimeMs < STARTING_TIME;
}

/** Removes a folder in which no process listens. Another process may be removing it at the same time. */
async function removeUnused(path: string, isOurs: () => boolean): Promise<void> {
  try {
    if (isOurs() && !(await isInUse(socketsIn(path)))) await rm(path, { recursive: true, force: true });
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
}

function isMissing(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ENOENT'; // an error of node:fs
}

function openSecret(folder: string): string {
  const file = join(folder, 'secret');
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
  // another process may read meanwhile: link() makes the file appear with all its content
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

/** Whether any process listens at one of these sockets. */
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
    socket.once('error', ({ code }: NodeJS.ErrnoException) => resolve(code !== 'ECONNREFUSED' && code !== 'ENOENT')); // EAGAIN: it is busy
  });
}
