/**
 * What a mini program runs in: a bare JavaScript engine that makes no code of strings, with timers, a console, and the API of its platform; not
 * with what belongs to a browser or to Node. Nothing of it may be changed, and after some time in the background it stands still.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { compileFunction, type Context, createContext, runInContext } from 'node:vm';
import { ROOT } from './app';

/** Of the names that a bare engine has, those that a mini program is without. */
const MISSING = ['Function', 'eval', 'globalThis', 'WebAssembly', 'SharedArrayBuffer', 'Atomics', 'FinalizationRegistry', 'WeakRef'];

export interface HideOptions {
  /** What becomes of the sockets: they stay, or the platform takes them away, and tells or does not. */
  sockets: 'stay' | 'end' | 'end untold';
  /** Whether the program hears first that it is shown, or first what has happened meanwhile. Default: shown */
  first?: 'shown' | 'events';
}

export class MiniProgram {
  /** What the program has done that its platform's documentation forbids. Checked when the test ends. */
  readonly violations: string[] = [];
  /** What it has given to Page(). */
  readonly pages: object[] = [];
  /** Every name there is. */
  readonly globals: string[];
  readonly #context: Context;
  readonly #onHide: (() => void)[] = [];
  readonly #onShow: (() => void)[] = [];
  readonly #onTakeAway: ((isTold: boolean) => void)[] = [];
  readonly #timers = new Set<number>();
  /** What happens while the program stands still. */
  #held: (() => void)[] | undefined;
  #hiding: HideOptions | undefined;
  #hasEnded = false;

  constructor(t: TestContext, apis: (program: MiniProgram) => Record<string, unknown>) {
    this.#context = createContext(Object.create(null), { codeGeneration: { strings: false, wasm: false } });
    runInContext(MISSING.map(name => `delete this.${name};`).join(''), this.#context);
    const given: Record<string, unknown> = {
      console: Object.freeze({ log() {}, warn() {}, error() {} }),
      setTimeout: (callback: () => void, delay?: number) => {
        const timer = Number(setTimeout(() => this.deliver(callback), delay));
        this.#timers.add(timer);
        return timer;
      },
      clearTimeout: (timer?: number) => clearTimeout(timer),
      App: () => {},
      Page: (page: object) => this.pages.push(page),
      ...apis(this),
    };
    const global = runInContext('this', this.#context) as object;
    for (const [name, value] of Object.entries(given)) Object.defineProperty(global, name, { value, writable: false, configurable: false });
    this.globals = Object.getOwnPropertyNames(global);
    t.after(() => this.end());
  }

  /** Runs a CommonJS module, with the given modules to require, and returns its exports. */
  run(code: string, filename: string, modules: Record<string, unknown> = {}): unknown {
    const module = { exports: this.evaluate('({})') };
    const run = compileFunction(code, ['module', 'exports', 'require'], { filename, parsingContext: this.#context });
    run(module, module.exports, (name: string) => {
      if (name in modules) return modules[name];
      throw new Error(`${filename} requires ${name}, which is not there`);
    });
    return module.exports;
  }

  /** What WeChat's npm build takes of the package: its main file, and nothing else. */
  requirePackage(name: string): unknown {
    const path = createRequire(join(ROOT, 'package.json')).resolve(name);
    return this.run(readFileSync(path, 'utf8'), path);
  }

  /** The value of an expression; of an object, one that the program itself might have made. */
  evaluate(expression: string): unknown {
    return runInContext(expression, this.#context);
  }

  isArrayBuffer(value: unknown): value is ArrayBuffer {
    return value instanceof (this.evaluate('ArrayBuffer') as typeof ArrayBuffer);
  }

  /** The same bytes, as the platform hands them to the program. */
  toArrayBuffer(bytes: Uint8Array): ArrayBuffer {
    const Bytes = this.evaluate('Uint8Array') as typeof Uint8Array;
    return new Bytes(bytes).buffer;
  }

  /** Calls the program; when it stands still, as soon as it runs again. */
  deliver(callback: () => void): void {
    if (this.#held) this.#held.push(callback);
    else callback();
  }

  /** Calls the program, but not before it has returned to the platform. */
  deliverSoon(callback: (() => void) | undefined): void {
    if (callback) setImmediate(() => this.deliver(callback));
  }

  get isHidden(): boolean {
    return this.#hiding !== undefined;
  }

  onHide(listener: () => void): void {
    this.#onHide.push(listener);
  }

  onShow(listener: () => void): void {
    this.#onShow.push(listener);
  }

  /** For the platform: the sockets are to be taken away, and the program is to be told of it or not. */
  onTakeAway(listener: (isTold: boolean) => void): void {
    this.#onTakeAway.push(listener);
  }

  /** The start, which is a show as well. */
  launch(): void {
    for (const listener of this.#onShow) listener();
  }

  /** To the background, for longer than the platform lets it run there. */
  hide(options: HideOptions): void {
    for (const listener of this.#onHide) listener();
    this.#hiding = options;
    this.#held = [];
    if (options.sockets !== 'stay') this.#takeAway(options.sockets === 'end');
  }

  /** Back to the foreground. */
  show(): void {
    const held = this.#held ?? [];
    const { first = 'shown' } = this.#hiding ?? {};
    this.#held = this.#hiding = undefined;
    const events = (): void => held.forEach(callback => callback());
    const shown = (): void => this.#onShow.forEach(listener => listener());
    for (const step of first === 'shown' ? [shown, events] : [events, shown]) step();
  }

  /** Throws if the program has broken a rule. Nothing of it runs afterwards. */
  end(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#held = [];
    for (const timer of this.#timers) clearTimeout(timer);
    this.#takeAway(false);
    const added = Object.getOwnPropertyNames(this.evaluate('this')).filter(name => !this.globals.includes(name));
    if (added.length > 0) this.violations.push(`adds to the globals: ${added.join(', ')}`);
    if (this.violations.length > 0) throw new Error(`the program breaks the rules of its platform:\n${this.violations.join('\n')}`);
  }

  #takeAway(isTold: boolean): void {
    for (const listener of this.#onTakeAway) listener(isTold);
  }
}
