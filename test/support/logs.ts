/** A logger whose lines a test can wait for. */
import { EventEmitter } from 'node:events';
import { format } from 'node:util';
import { waitFor } from './waits';

export class Logs extends EventEmitter {
  /** A line each: level and message. */
  readonly lines: string[] = [];

  readonly info = this.#writer('INFO');
  readonly warn = this.#writer('WARN');
  readonly error = this.#writer('ERROR');

  /** Resolves with the first line that matches, past or to come. */
  async logged(pattern: RegExp): Promise<string> {
    for (;;) {
      const line = this.lines.find(one => pattern.test(one));
      if (line !== undefined) return line;
      const end = waitFor(`a line with ${String(pattern)}`);
      await new Promise<void>(resolve => this.once('line', resolve));
      end();
    }
  }

  count(pattern: RegExp): number {
    return this.lines.filter(line => pattern.test(line)).length;
  }

  #writer(level: string): (message: string, ...args: unknown[]) => void {
    return (message, ...args) => {
      this.lines.push(`${level} ${format(message, ...args)}`);
      this.emit('line');
    };
  }
}
