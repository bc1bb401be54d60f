/** `npx egg-socket.io doctor` in the folder of an app. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { type Files, removeApp, ROOT, writeApp } from './app';

const COMMAND = join(ROOT, 'migrate/dist/egg-socket.io.js');

export interface Diagnosis {
  readonly code: number;
  /** All that it has printed, and of which it has its findings. */
  readonly output: string;
  /** Level and text, and the remedy after an arrow. */
  readonly findings: readonly string[];
}

/** @param args further ones @param shell what a shell does before */
export async function diagnose(t: TestContext, files: Files, args: readonly string[] = [], shell = 'true'): Promise<Diagnosis> {
  const baseDir = await writeApp(files);
  t.after(() => removeApp(baseDir));
  return diagnoseIn(baseDir, args, shell);
}

export async function diagnoseIn(baseDir: string, args: readonly string[] = [], shell = 'true'): Promise<Diagnosis> {
  const command = ['-c', `${shell}; exec "$@"`, 'sh', process.execPath, COMMAND, 'doctor', ...args];
  return new Promise(resolve => {
    execFile(
      '/bin/sh',
      command,
      { cwd: baseDir, env: { ...process.env, EGG_SERVER_ENV: 'unittest', NODE_V8_COVERAGE: process.env['COVERAGE_OF_COMMANDS'] } },
      (error, stdout, stderr) => {
        const output = stdout + stderr;
        const findings = [...stdout.matchAll(/^(ok|look|problem) +(.*)(?:\n +(-> .*))?$/gm)].map(parts =>
          parts.slice(1).filter(Boolean).join(' '),
        );
        resolve({ code: error ? Number(error.code) : 0, output, findings });
      },
    );
  });
}
