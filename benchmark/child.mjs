/** A process that the runner starts, and asks: a question has a name and arguments, its answer is a value or an error. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';

/** Servers have one core and the generator another, so that neither takes time from the other. What has many processes has all cores. */
const CAN_PIN = process.platform === 'linux' && availableParallelism() > 1;

/** Far more than any question takes. */
const PATIENCE = 120_000;

/** The runner's side. */
export class Child {
  #process;
  #questions = new Map();
  #lastId = 0;

  /** Resolves when the program answers questions. */
  static async start(file, { core, node = process.execPath, flags = [], args = [], ...options }) {
    const command = [...(CAN_PIN && core !== undefined ? ['taskset', '--cpu-list', String(core)] : []), node, ...flags, file, ...args];
    const child = new Child();
    child.#process = spawn(command[0], command.slice(1), { stdio: ['ignore', 'inherit', 'inherit', 'ipc'], ...options });
    const answering = new Promise((resolve, reject) => {
      child.#process.on('message', message => {
        const [id, answer, error] = Array.isArray(message) ? message : []; // Egg's master tells whoever has started it what happens
        if (id === undefined) return undefined;
        if (id === 0) return resolve();
        const question = child.#questions.get(id);
        child.#questions.delete(id);
        return error === undefined ? question.resolve(answer) : question.reject(new Error(error));
      });
      child.#process.once('error', reject);
      child.#process.once('exit', (code, signal) => {
        const error = new Error(`${file} has ended with ${signal ?? code}`);
        reject(error);
        for (const question of child.#questions.values()) question.reject(error);
      });
    });
    await answering;
    return child;
  }

  ask(name, ...args) {
    const id = ++this.#lastId;
    const late = setTimeout(() => this.#questions.get(id).reject(new Error(`no answer to ${name} in ${PATIENCE} ms`)), PATIENCE);
    const answer = new Promise((resolve, reject) => {
      this.#questions.set(id, { resolve, reject });
      this.#process.send([id, name, args]);
    });
    return answer.finally(() => clearTimeout(late));
  }

  async stop(signal = 'SIGKILL') {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    this.#process.kill(signal);
    await once(this.#process, 'exit');
  }
}

/** The program's side: a function for each question. It ends with the runner. */
export function answer(own) {
  const questions = { cpu, beside: () => 0, ...own };
  process.on('disconnect', () => process.exit());
  process.on('message', async ([id, name, args]) => {
    try {
      process.send([id, await questions[name](...args)]);
    } catch (error) {
      process.send([id, undefined, error.stack]);
    }
  });
  process.send([0]);
}

/** What this process has used, all its threads, in microseconds. */
function cpu() {
  const { user, system } = process.cpuUsage();
  return user + system;
}

/** By a clock that all processes of the machine share, in ms. */
export function now() {
  return Number(process.hrtime.bigint() / 1000n) / 1000;
}
