/**
 * The socket API of each mini program platform, as its documentation has it, over real WebSockets. They are strict: what a platform's
 * documentation forbids is noted as a violation, though the platform itself might let it pass.
 */
import type { TestContext } from 'node:test';
import WebSocket, { type RawData } from 'ws';
import { MiniProgram } from './mini-program';

export interface SimulationOptions {
  /** The Origin that the platform sends. Default: none */
  origin?: string;
  /** WeChat's exception to the rule that no code is made of strings: `Function('return this')`. */
  hasFunction?: boolean;
  /** What frames arrive in is of another realm, as in developer tools. */
  hasForeignBuffers?: boolean;
  /** The platform does not tell of the end of the only socket. */
  isSilent?: boolean;
  /** A game: its way to the background has other names. */
  isGame?: boolean;
}

export interface Simulation {
  readonly program: MiniProgram;
  /** What has to be given as `platform`. Undefined if the package finds it by itself. */
  readonly platform: object | undefined;
  /** The address of the last handshake. */
  address(): string;
  /** The headers of the last handshake. */
  handshake(): Record<string, string>;
  /** The options of the last handshake. */
  choices(): Record<string, unknown>;
  /** How many sockets there are. */
  sockets(): number;
  /** The network has a fault. */
  breakDown(): void;
  /** Resolves when no event of a socket that has ended is still to be told. */
  late(): Promise<void>;
  /** How many listeners the program has for the events of its only socket, where that is all it has. */
  listeners(): number;
}

export const PLATFORMS = ['wx', 'my', 'my before 2.3.1', 'tt', 'swan', 'qq', 'ks', 'uni', 'uni on my', 'Taro', 'Taro on my'] as const;

export type PlatformName = (typeof PLATFORMS)[number];

/** Starts a program on a platform. Whatever server it names, it reaches the one at `url`. */
export function simulate(t: TestContext, name: PlatformName, url: string, options: SimulationOptions = {}): Simulation {
  let device: Device | undefined;
  let platform: object | undefined;
  const program = new MiniProgram(t, program => {
    device = new Device(program, url, options);
    const { globals, given } = SIMULATIONS[name](device);
    platform = given;
    return { ...globals, ...(options.hasFunction && { Function: onlyReturnThis(program) }) };
  });
  if (!device) throw new Error('no device'); // made above
  const { handshakes } = device;
  const sockets = device.sockets;
  const { globalListeners, late } = device;
  program.launch();
  return {
    program,
    platform,
    address: () => handshakes.at(-1)?.url ?? '',
    handshake: () => handshakes.at(-1)?.header ?? {},
    choices: () => handshakes.at(-1)?.choices ?? {},
    sockets: () => sockets.size,
    breakDown: () => sockets.forEach(socket => socket.breakDown()),
    late: async () => void (await Promise.all(late)),
    listeners: () => [...globalListeners.values()].flat().length,
  };
}

type Callback = (event?: unknown) => void;

interface ConnectOptions {
  url?: unknown;
  header?: Record<string, unknown>;
  protocols?: unknown;
  multiple?: unknown;
  perMessageDeflate?: unknown;
  success?: Callback;
  fail?: Callback;
  complete?: Callback;
}

interface CallOptions {
  data?: unknown;
  isBuffer?: unknown;
  code?: unknown;
  reason?: unknown;
  success?: Callback;
  fail?: Callback;
  complete?: Callback;
}

/** How a platform differs from the others. */
interface Traits {
  /** As errMsg begins, and violations. */
  name: string;
  /** Sent with every handshake; no program may set it. */
  referer: string;
  /** The options of connectSocket() that its documentation has. */
  options: readonly string[];
  /** Whether a failure to connect is an event of the socket, and its end another; or the call fails. */
  failure: 'error and close' | 'error' | 'close' | 'fail';
  /** A failure, as the platform says it. */
  problem(words: string): object;
  /** Whether close() ends a socket that is not open yet. */
  closesEarly: boolean;
  /** Binary frames. Default: ArrayBuffer */
  isBase64?: boolean;
}

const COMMON = ['url', 'header', 'protocols', 'success', 'fail', 'complete'];
const MOST_SOCKETS = 5;
const errMsg = (words: string): object => ({ errMsg: words });

const WECHAT: Traits = {
  name: 'wx',
  referer: 'https://servicewechat.com/wx0123456789abcdef/devtools/page-frame.html',
  options: [...COMMON, 'tcpNoDelay', 'perMessageDeflate', 'timeout', 'forceCellularNetwork'],
  failure: 'error and close',
  problem: errMsg,
  closesEarly: true,
};
const ALIPAY: Traits = {
  name: 'my',
  referer: 'https://2021000000000000.hybrid.alipay-eco.com/2021000000000000/0.0.1/index.html',
  options: [...COMMON, 'data', 'multiple', 'timeout'],
  failure: 'fail',
  problem: errorMessage => ({ error: 11, errorMessage }),
  closesEarly: false,
  isBase64: true,
};
const DOUYIN: Traits = {
  ...WECHAT,
  name: 'tt',
  referer: 'https://tmaservice.developer.toutiao.com?appid=tt0123456789abcdef&version=1.0.0',
  options: [...COMMON],
  failure: 'error',
};
const BAIDU: Traits = {
  ...DOUYIN,
  name: 'swan',
  referer: 'https://smartapps.cn/0123456789/1.0.0/page-frame.html',
  failure: 'fail',
  closesEarly: false,
};
const QQ: Traits = {
  ...WECHAT,
  name: 'qq',
  referer: 'https://appservice.qq.com/1100000000/devtools/page-frame.html',
  options: [...COMMON],
};
const KUAISHOU: Traits = { ...DOUYIN, name: 'ks', referer: 'https://miniapi.ksapisrv.com/', failure: 'close', closesEarly: false };

interface Globals {
  globals: Record<string, unknown>;
  given?: object;
}

const SIMULATIONS: Record<PlatformName, (device: Device) => Globals> = {
  wx: device => ({ globals: { wx: apiWithTasks(device, WECHAT) } }),
  my: device => ({ globals: { my: apiWithTasks(device, ALIPAY) } }),
  'my before 2.3.1': device => ({ globals: { my: apiWithOneSocket(device, ALIPAY) } }),
  tt: device => ({ globals: { tt: apiWithTasks(device, DOUYIN) } }),
  swan: device => ({ globals: { swan: apiWithTasks(device, BAIDU) } }),
  qq: device => ({
    globals: { qq: apiWithTasks(device, QQ), wx: { connectSocket: () => device.program.violations.push('wx on QQ is not qq') } },
  }),
  ks: device => ({ globals: { ks: apiWithTasks(device, KUAISHOU) } }),
  uni: device => ({ globals: { uni: uniOver(apiWithTasks(device, WECHAT)) } }),
  'uni on my': device => {
    const my = apiWithTasks(device, ALIPAY);
    return { globals: { my }, given: uniOver(my, ['protocols']) };
  },
  Taro: device => {
    const wx = apiWithTasks(device, WECHAT);
    return { globals: { wx }, given: taroOver(wx) };
  },
  'Taro on my': device => {
    const my = apiWithTasks(device, ALIPAY);
    return { globals: { my }, given: taroOverAlipay(my) };
  },
};

interface Api {
  connectSocket(options: ConnectOptions): object | undefined;
  [name: string]: unknown;
}

/** What is beneath the API: sockets, and rules. */
class Device {
  readonly sockets = new Set<NativeSocket>();
  readonly handshakes: { url: string; header: Record<string, string>; choices: Record<string, unknown> }[] = [];
  /** What is told late. */
  readonly late = new Set<Promise<void>>();
  /** Of the one socket that all of an old program's listeners listen to. */
  readonly globalListeners = new Map<string, Callback[]>();

  constructor(
    readonly program: MiniProgram,
    readonly server: string,
    readonly options: SimulationOptions,
  ) {
    program.onTakeAway(isTold => {
      for (const socket of this.sockets) socket.takeAway(isTold);
    });
  }

  forbid(isBroken: boolean, rule: string): void {
    if (isBroken) this.program.violations.push(rule);
  }

  /** Checks a call of connectSocket(). Returns why it fails, if it does. */
  checkConnect(traits: Traits, options: ConnectOptions): string | undefined {
    const { name } = traits;
    for (const key of Object.keys(options)) this.forbid(!traits.options.includes(key), `${name}.connectSocket() has no option ${key}`);
    for (const [key, value] of Object.entries(options.header ?? {})) {
      this.forbid(/^referer$/i.test(key), `${name}.connectSocket() sets the Referer`);
      this.forbid(typeof value !== 'string', `${name}.connectSocket() has a header that is no string: ${key}`);
    }
    this.forbid(
      options.protocols !== undefined && !Array.isArray(options.protocols),
      `${name}.connectSocket() has protocols that are no array`,
    );
    if (typeof options.url !== 'string' || !/^wss?:\/\//.test(options.url)) return 'connectSocket:fail invalid url';
    if (this.program.isHidden) return 'connectSocket:fail interrupted';
    return undefined;
  }

  /** Tells the program that its call has been taken, and then what comes of it. */
  connect(traits: Traits, options: ConnectOptions, taken: object, listeners: NativeListeners): NativeSocket {
    const { url, header = {}, protocols = [], success: _success, fail: _fail, complete: _complete, ...choices } = options;
    const sent: Record<string, unknown> = {
      ...header,
      referer: traits.referer,
      ...(this.options.origin !== undefined && { origin: this.options.origin }),
    };
    this.handshakes.push({ url: url as string, header: sent as Record<string, string>, choices }); // their values are checked
    const { pathname, search } = new URL(url as string); // checked, too
    const webSocket = new WebSocket(this.server.replace(/^http/, 'ws') + pathname + search, [...(protocols as string[])], {
      headers: sent as Record<string, string>,
      perMessageDeflate: choices.perMessageDeflate === true,
    });
    const told = new Promise<void>(resolve => {
      this.program.deliverSoon(() => {
        options.success?.(taken);
        setImmediate(resolve);
      });
    });
    return new NativeSocket(this, webSocket, listeners, told);
  }
}

interface NativeListeners {
  open(): void;
  message(data: string | Buffer): void;
  error(words: string): void;
  close(code: number, reason: string): void;
}

/** A WebSocket of the device. Its events reach the program only while that runs. */
class NativeSocket {
  state: 'connecting' | 'open' | 'closed' = 'connecting';
  #isMute = false;

  constructor(
    readonly device: Device,
    readonly webSocket: WebSocket,
    listeners: NativeListeners,
    told: Promise<void>,
  ) {
    device.sockets.add(this);
    const tell = (callback: () => void): void => {
      if (!this.#isMute) void deliver(callback);
    };
    const deliver = async (callback: () => void): Promise<void> => {
      await told;
      device.program.deliver(callback);
    };
    webSocket.on('open', () => {
      this.state = 'open';
      tell(() => listeners.open());
    });
    webSocket.on('message', (data: RawData, isBinary) => {
      const bytes = data as Buffer; // of one piece, as ws has it unless told otherwise
      tell(() => listeners.message(isBinary ? bytes : bytes.toString()));
    });
    webSocket.on('error', error => tell(() => listeners.error(error.message)));
    webSocket.on('close', (code, reason) => {
      this.state = 'closed';
      device.sockets.delete(this);
      tell(() => (this.#interruption ? listeners.close(1000, 'interrupted') : listeners.close(code, reason.toString() || reasonOf(code))));
    });
  }

  #interruption = false;

  breakDown(): void {
    this.webSocket.emit('error', new Error('Software caused connection abort'));
    this.webSocket.terminate();
  }

  /** The platform takes it away from a program in the background. */
  takeAway(isTold: boolean): void {
    this.#interruption = true;
    this.#isMute = !isTold;
    this.state = 'closed';
    this.webSocket.terminate();
  }
}

function reasonOf(code: number): string {
  return code === 1006 ? 'abnormal closure' : 'normal closure';
}

/** A SocketTask for each socket. */
function apiWithTasks(device: Device, traits: Traits): Api {
  let tasks = 0;
  return Object.freeze({
    ...surroundings(device, traits),
    connectSocket(options: ConnectOptions) {
      // Alipay's default is the API with one socket
      device.forbid(traits.name === 'my' && options.multiple !== true, 'my.connectSocket() without multiple gives no SocketTask');
      const task = new Listeners(device.program);
      const reason = device.checkConnect(traits, options) ?? (device.sockets.size >= MOST_SOCKETS ? tooMany(tasks) : undefined);
      if (reason !== undefined) {
        device.program.deliverSoon(() => {
          if (traits.failure === 'fail') options.fail?.(traits.problem(reason));
          else {
            options.success?.({ errMsg: 'connectSocket:ok' }); // of the call, and not of what comes of it
            device.program.deliverSoon(() => task.tell(traits.failure === 'close' ? 'Close' : 'Error', traits.problem(reason)));
          }
        });
        return taskOf(device, traits, task, undefined);
      }
      let isOpen = false;
      const socket = device.connect(
        traits,
        options,
        { errMsg: 'connectSocket:ok', socketTaskId: ++tasks },
        {
          open() {
            isOpen = true;
            task.tell('Open', { header: {} });
          },
          message: data => task.tell('Message', messageOf(device, traits, data)),
          error(words) {
            if (traits.failure === 'fail' && !isOpen) options.fail?.(traits.problem(words));
            else if (traits.failure !== 'close') task.tell('Error', traits.problem(words));
          },
          close(code, reason) {
            if (isOpen || traits.failure.endsWith('close')) task.tell('Close', { code, reason });
          },
        },
      );
      return taskOf(device, traits, task, socket);
    },
  });
}

function tooMany(tasks: number): string {
  return `createSocketTask:fail wcwss taskID=${tasks} exceed max concurrent count`;
}

function taskOf(device: Device, traits: Traits, listeners: Listeners, socket: NativeSocket | undefined): object {
  return Object.freeze({
    onOpen: (listener: Callback) => listeners.add('Open', listener),
    onMessage: (listener: Callback) => listeners.add('Message', listener),
    onError: (listener: Callback) => listeners.add('Error', listener),
    onClose: (listener: Callback) => listeners.add('Close', listener),
    send: (options: CallOptions) => send(device, traits, socket, options),
    close: (options: CallOptions = {}) => close(device, traits, socket, options),
  });
}

/** The API of before SocketTask: one socket, and events that do not say whose they are. */
function apiWithOneSocket(device: Device, traits: Traits): Api {
  const { program } = device;
  let socket: NativeSocket | undefined;
  const listeners = new Listeners(program, device.globalListeners);
  const on = (event: string) => (listener: Callback) => listeners.add(event, listener);
  const off = (event: string) => (listener?: Callback) => {
    device.forbid(listener === undefined, `my.offSocket${event}() without a listener takes away those of others`);
    listeners.remove(event, listener);
  };
  return Object.freeze({
    ...surroundings(device, traits),
    connectSocket(options: ConnectOptions) {
      const reason =
        device.checkConnect(traits, options) ?? (socket && socket.state !== 'closed' ? 'the connection exists already' : undefined);
      if (reason !== undefined) {
        program.deliverSoon(() => options.fail?.(traits.problem(reason)));
        return undefined;
      }
      socket = device.connect(
        traits,
        options,
        {},
        {
          open: () => listeners.tell('Open', {}),
          message: data => listeners.tell('Message', messageOf(device, traits, data, true)),
          error: words => listeners.tell('Error', traits.problem(words)),
          // late, when a program that did not wait has its next socket
          close: (code, reason) => {
            const told = new Promise<void>(resolve => void setTimeout(resolve, 30));
            device.late.add(told.then(() => program.deliver(() => device.options.isSilent ?? listeners.tell('Close', { code, reason }))));
          },
        },
      );
      return undefined;
    },
    sendSocketMessage: (options: CallOptions) => send(device, traits, socket, options),
    closeSocket: (options: CallOptions = {}) => close(device, traits, socket, options),
    onSocketOpen: on('Open'),
    onSocketMessage: on('Message'),
    onSocketError: on('Error'),
    onSocketClose: on('Close'),
    offSocketOpen: off('Open'),
    offSocketMessage: off('Message'),
    offSocketError: off('Error'),
    offSocketClose: off('Close'),
  });
}

class Listeners {
  readonly #program: MiniProgram;
  readonly #listeners: Map<string, Callback[]>;

  constructor(program: MiniProgram, listeners = new Map<string, Callback[]>()) {
    this.#program = program;
    this.#listeners = listeners;
  }

  add(event: string, listener: Callback): void {
    this.#listeners.set(event, [...(this.#listeners.get(event) ?? []), listener]);
  }

  remove(event: string, listener: Callback | undefined): void {
    const others = (this.#listeners.get(event) ?? []).filter(one => listener !== undefined && one !== listener);
    this.#listeners.set(event, others);
  }

  /** An event that nobody listens to is lost. */
  tell(event: string, detail: object): void {
    for (const listener of this.#listeners.get(event) ?? []) this.#program.deliver(() => listener(detail));
  }
}

function send(device: Device, traits: Traits, socket: NativeSocket | undefined, options: CallOptions): void {
  const { program } = device;
  const { data, isBuffer } = options;
  const isText = typeof data === 'string';
  device.forbid(
    !isText && (traits.isBase64 === true || !program.isArrayBuffer(data)),
    `${traits.name}: sends neither a string nor an ArrayBuffer`,
  );
  device.forbid(isBuffer !== undefined && traits.isBase64 !== true, `${traits.name}: isBuffer is Alipay's`);
  if (socket?.state !== 'open') {
    program.deliverSoon(() => options.fail?.(traits.problem('sendSocketMessage:fail SocketTask.readyState is not OPEN')));
    return;
  }
  const frame = isText ? (isBuffer === true ? Buffer.from(data, 'base64') : data) : new Uint8Array(data as ArrayBuffer); // or it is noted above
  socket.webSocket.send(frame, error => {
    program.deliver(() => (error ? options.fail?.(traits.problem(`sendSocketMessage:fail ${error.message}`)) : options.success?.({})));
  });
}

function close(device: Device, traits: Traits, socket: NativeSocket | undefined, options: CallOptions): void {
  const { program } = device;
  const { code = 1000, reason = '' } = options;
  const isValid = typeof code === 'number' && (code === 1000 || (code >= 3000 && code <= 4999));
  device.forbid(!isValid, `${traits.name}: closes with code ${String(code)}`);
  device.forbid(Buffer.byteLength(String(reason)) > 123, `${traits.name}: closes with a reason of more than 123 bytes`);
  const isNone = !socket || socket.state === 'closed';
  const isTooEarly = socket?.state === 'connecting' && !traits.closesEarly;
  if (isNone || isTooEarly) program.deliverSoon(() => options.fail?.(traits.problem('closeSocket:fail wcwss taskID not exist')));
  else {
    socket.webSocket.close(isValid ? code : 1000, String(reason));
    program.deliverSoon(() => options.success?.({}));
  }
}

/** A frame, as the program gets it. */
function messageOf({ program, options }: Device, traits: Traits, data: string | Buffer, isFlat = false): object {
  if (traits.isBase64) {
    const message = typeof data === 'string' ? { data, isBuffer: false } : { data: data.toString('base64'), isBuffer: true };
    return isFlat ? message : { data: { socketTaskID: '1', ...message } };
  }
  if (typeof data === 'string') return { data };
  return { data: options.hasForeignBuffers ? new Uint8Array(data).buffer : program.toArrayBuffer(data) };
}

/** What else of the platform a program may need: where it is, storage, and HTTP. */
function surroundings(device: Device, traits: Traits): Record<string, unknown> {
  const { program, server } = device;
  const storage = new Map<string, unknown>();
  const kind = device.options.isGame ? '' : 'App';
  return {
    [`on${kind}Show`]: (listener: () => void) => program.onShow(listener),
    [`on${kind}Hide`]: (listener: () => void) => program.onHide(listener),
    getStorageSync: (key: string) => storage.get(key) ?? '',
    setStorageSync: (key: string, value: unknown) => void storage.set(key, value),
    removeStorageSync: (key: string) => void storage.delete(key),
    request({ url, method = 'GET', data, header = {}, success, fail }: RequestOptions) {
      const { pathname, search } = new URL(url);
      const body = data === undefined || method === 'GET' ? null : JSON.stringify(data);
      const headers = { 'content-type': 'application/json', ...header, referer: traits.referer };
      fetch(server + pathname + search, { method, headers, body })
        .then(async response => {
          const text = await response.text();
          const isJson = response.headers.get('content-type')?.startsWith('application/json');
          const answer = {
            errMsg: 'request:ok',
            statusCode: response.status,
            data: isJson ? (JSON.parse(text) as unknown) : text,
            header: Object.fromEntries(response.headers),
            cookies: response.headers.getSetCookie(),
          };
          program.deliver(() => success?.(answer));
        })
        .catch((error: unknown) => program.deliver(() => fail?.(traits.problem(`request:fail ${String(error)}`))));
    },
  };
}

interface RequestOptions {
  url: string;
  method?: string;
  data?: unknown;
  header?: Record<string, string>;
  success?: Callback;
  fail?: Callback;
}

/** uni-app makes a promise of a call that has no callbacks, and leaves out what it thinks a platform does not know. */
function uniOver(api: Api, unknown: readonly string[] = []): Api {
  return Object.freeze({
    ...api,
    connectSocket(options: ConnectOptions) {
      const known = Object.fromEntries(Object.entries(options).filter(([name]) => !unknown.includes(name))) as ConnectOptions; // a part of it
      if (known.success ?? known.fail ?? known.complete) return api.connectSocket(known);
      return new Promise((resolve, reject) => api.connectSocket({ ...known, success: resolve, fail: reject }));
    },
  });
}

/** Taro makes a promise of every call. That of connectSocket() resolves to the SocketTask, a moment after the call has succeeded. */
function taroOver(api: Api, change: (task: object) => object = task => task): Api {
  return Object.freeze({
    ...api,
    connectSocket(options: ConnectOptions) {
      let task: object | undefined;
      return new Promise((resolve, reject) => {
        task = api.connectSocket({
          ...options,
          success(event) {
            options.success?.(event);
            resolve(Promise.resolve().then(() => (task ? change({ ...task, ...(event as object) }) : event)));
          },
          fail: event => [options.fail, reject].forEach(callback => callback?.(event)),
        });
      });
    },
  });
}

/** On Alipay its task is not that of the call: it speaks for the one socket of the old API. Newer versions say what is beneath them. */
function taroOverAlipay(my: Api): object {
  const { onSocketOpen, onSocketMessage, onSocketError, onSocketClose, sendSocketMessage: send, closeSocket: close } = my;
  const speakForAnother = (): object => ({
    ...{ onOpen: onSocketOpen, onMessage: onSocketMessage, onError: onSocketError, onClose: onSocketClose },
    ...{ send, close },
  });
  return Object.freeze({ ...taroOver(my, speakForAnother), miniGlobal: my });
}

/** The one thing that WeChat still lets a program make of a string. */
function onlyReturnThis(program: MiniProgram): (code: string) => () => unknown {
  return code => {
    if (code !== 'return this') throw new Error('no code is made of strings here');
    return () => program.evaluate('this');
  };
}
