/** Runs a script of a web page against an app, and holds what it prints against what it says it prints. */
import { formatWithOptions } from 'node:util';
import { compileFunction } from 'node:vm';
import * as client from 'egg-socket.io/client';
import { io, type ManagerOptions, type Socket, type SocketOptions } from 'socket.io-client';

export interface Script {
  /** With a line `console.log(answer); // => { ok: true }` for each result, or `// => a, then b` where the line prints twice. */
  readonly code: string;
  /** Shown where it fails, with the number of its first line there. */
  readonly place: string;
  readonly line: number;
  /** Of the page that it is in. Default: the app's own. */
  readonly origin: string | undefined;
}

/** Far more than any script takes. */
const PATIENCE = 10_000;

/** Resolves when the script has run and has printed all that it says. Rejects if it prints anything else. */
export async function runScript(url: string, { code, place, line, origin }: Script): Promise<void> {
  const prints = new Prints(code);
  const browser = new Browser(url, origin ?? url, error => prints.fail(error));
  const body = prints.watchedCode.replaceAll(/^import (\{.*\}) from '(.+)';$/gm, "const $1 = modules['$2'];");
  const run = compileFunction(`return (async () => { ${body}\n})();`, ['io', 'fetch', 'print', 'modules'], {
    filename: place,
    lineOffset: line - 1,
  });
  const late = setTimeout(() => prints.fail(new Error(`it does not print ${prints.missing}`)), PATIENCE);
  try {
    await Promise.race([
      prints.done,
      run(browser.io, browser.fetch, prints.print, { 'socket.io-client': browser, 'egg-socket.io/client': client }),
    ]);
    await prints.done;
  } finally {
    clearTimeout(late);
    browser.close();
  }
}

/** What a script in a page of the app has at hand: `io` and `fetch`, with the cookies that the app has set. */
class Browser {
  readonly #url: string;
  readonly #headers: Record<string, string>;
  readonly #onError: (error: Error) => void;
  readonly #cookies = new Map<string, string>();
  readonly #sockets: Socket[] = [];

  constructor(url: string, origin: string, onError: (error: Error) => void) {
    this.#url = url;
    this.#headers = { origin };
    this.#onError = onError;
  }

  readonly io = (
    address: string | Partial<ManagerOptions & SocketOptions> = '/',
    options: Partial<ManagerOptions & SocketOptions> = {},
  ): Socket => {
    if (typeof address !== 'string') return this.io('/', address);
    const sent = (): string => this.#cookieHeader;
    const extraHeaders = {
      ...this.#headers,
      get cookie() {
        return sent(); // of each connection anew, as a browser does it
      },
    };
    const socket = io(this.#at(address), { forceNew: true, reconnection: false, rejectUnauthorized: false, ...options, extraHeaders });
    this.#sockets.push(socket);
    socket.on('connect_error', error => {
      if (socket.listeners('connect_error').length === 1) this.#onError(error); // the sample does not expect it
    });
    return socket;
  };

  readonly fetch = async (address: string, options: RequestInit = {}): Promise<Response> => {
    const headers = { ...(options.headers as object), ...this.#headers, cookie: this.#cookieHeader };
    const response = await fetch(this.#at(address), { ...options, headers });
    for (const cookie of response.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(cookie) ?? [];
      if (name !== undefined && value !== undefined) this.#cookies.set(name, value);
    }
    return response;
  };

  close(): void {
    for (const socket of this.#sockets) socket.disconnect();
  }

  get #cookieHeader(): string {
    return [...this.#cookies].map(pair => pair.join('=')).join('; ');
  }

  /** Whatever host the page names: it is this app. */
  #at(address: string): string {
    const { pathname, search } = new URL(address, this.#url);
    return new URL(pathname + search, this.#url).href;
  }
}

/** What a script prints, against what its `// =>` comments say. */
export class Prints {
  readonly watchedCode: string;
  /** Resolves when all has been printed. Rejects when something else is. */
  readonly done: Promise<void>;
  readonly #expected: string[][] = [];
  #resolve: () => void = () => {};
  fail: (error: Error) => void = () => {};

  constructor(code: string) {
    this.done = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.fail = reject;
    });
    this.done.catch(() => {}); // awaited in the end, but may fail before
    this.watchedCode = code.replaceAll(/^(.*?)console\.log\((.*)\/\/ => (.*)$/gm, (_, before: string, call: string, expected: string) => {
      const id = this.#expected.push(expected.split(', then ')) - 1;
      return `${before}print(${id}, ${call}`;
    });
    if (this.#expected.length === 0)
      throw new Error('the sample states no result: end a line of console.log() with // => and what it prints');
    if (this.watchedCode.includes('// =>')) throw new Error('a result can be stated of console.log() only');
  }

  get missing(): string {
    return this.#expected.flat().join(', ');
  }

  readonly print = (id: number, ...values: unknown[]): void => {
    const actual = tight(formatWithOptions({ breakLength: Infinity, depth: Infinity }, ...values));
    const expected = this.#expected[id]?.shift();
    if (expected === undefined) this.fail(new Error(`it prints once more: ${actual}`));
    else if (actual !== tight(expected)) this.fail(new Error(`it prints ${actual}, but says ${tight(expected)}`));
    else if (this.#expected.flat().length === 0) this.#resolve();
  };
}

/** Without the spaces that `console.log` puts inside brackets. */
function tight(text: string): string {
  return text.trim().replaceAll(/(?<=[[{])\s+|\s+(?=[\]}])/g, '');
}
