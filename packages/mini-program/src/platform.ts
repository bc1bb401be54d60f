/** Which mini program this is, and the part of its API that is used here. */
import { MiniProgramError } from './errors';

/** The API of a platform: `wx`, `my`, `tt`, `swan`, `qq`, `ks`, `uni`, `Taro`, or one that is made like them. */
export interface Platform {
  connectSocket(options: never): unknown;
}

export interface MiniProgramOptions {
  /**
   * The API of the platform: `wx`, `my`, `tt`, `swan`, `qq`, `ks`, `uni`, `Taro`, or of another that is made like one of them.
   * Default: the one that is there.
   */
  platform?: Platform;
  /** Sends small frames at once. Of WeChat; others ignore it. Default: the platform's, which is false. */
  tcpNoDelay?: boolean;
  /** Asks for compression, which the server has to have turned on as well. Of WeChat; others ignore it. Default: the platform's, which is false. */
  perMessageDeflate?: boolean;
}

/** What happens to a socket, as the names of listeners end. */
export const EVENTS = ['Open', 'Message', 'Error', 'Close'] as const;

export type SocketEvent = (typeof EVENTS)[number];

/** What is used of it. */
export interface Api {
  connectSocket(options: ConnectOptions): unknown;
}

/** What of it not every platform has: the API of before SocketTask, with one socket whose events come to the whole program; and the background. */
type Optional = `${'on' | 'off'}Socket${SocketEvent}` | 'sendSocketMessage' | 'closeSocket' | `on${'App' | ''}${'Show' | 'Hide'}`;

export type SocketTask = Record<`on${SocketEvent}`, (listener: Listener) => void> & {
  send(options: SendOptions): unknown;
  close(options: CloseOptions): unknown;
};

/** Each platform has its own events. */
export type Listener = (event?: unknown) => unknown;

interface Callbacks {
  success(): void;
  fail(problem?: unknown): void;
}

export interface ConnectOptions extends Handshake, Callbacks {
  /** Alipay's: to have a SocketTask, and with it more than one socket. */
  multiple?: true;
}

/** What the handshake of a socket is made of. Who has nothing to say of a thing leaves it out: not every platform knows it. */
export interface Handshake {
  url: string;
  header?: Record<string, string>;
  protocols?: string[];
  tcpNoDelay?: boolean;
  perMessageDeflate?: boolean;
}

export interface SendOptions extends Callbacks {
  data: string | ArrayBuffer;
  /** Alipay's: the data is binary, in base64. */
  isBuffer?: true;
}

export interface CloseOptions extends Callbacks {
  code: number;
}

declare const wx: unknown;
declare const my: unknown;
declare const tt: unknown;
declare const swan: unknown;
declare const qq: unknown;
declare const ks: unknown;
declare const uni: unknown;

/**
 * Where each is found: there is no global object to look them up in. QQ has a `wx` as well, and uni-app stands on one of the others,
 * so that these come last. Taro's is imported and no global, and never needed: it stands on one of the others, too.
 */
const GLOBALS: readonly (() => unknown)[] = [findAlipay, () => tt, () => swan, () => qq, () => ks, () => wx, () => uni];

/** The API of the platform that is given or, if none is, of the one that the program runs on. Throws if there is none. */
export function apiOf(given: Platform | undefined): Api {
  // beneath Taro, whose own connectSocket() gives on Alipay a task that speaks for another socket
  const candidates = given === undefined ? GLOBALS.map(attempt) : [(Object(given) as { miniGlobal?: unknown }).miniGlobal, given];
  const api = candidates.find(isApi);
  if (api) return api;
  const place = given === undefined ? 'wx, my, tt, swan, qq, ks or uni' : 'what is given';
  throw new MiniProgramError('NO_PLATFORM', `there is no connectSocket() in ${place}; give yours, as in { platform: wx }`);
}

/** Calls what a platform may have. Returns whether it has it. */
export function ask(api: Api, name: Optional, argument: Listener | SendOptions | CloseOptions): boolean {
  const method = (api as unknown as Record<string, unknown>)[name]; // an object like any other
  if (typeof method !== 'function') return false;
  (method as Listener).call(api, argument); // every one of them takes one argument
  return true;
}

/** Whether binary frames are base64 here. Also beneath uni-app and Taro, which pass them on as they are. */
export function isAlipay(): boolean {
  return isApi(attempt(findAlipay));
}

function findAlipay(): unknown {
  return my;
}

/** Undefined if the name is not there. */
function attempt(find: () => unknown): unknown {
  try {
    return find();
  } catch {
    return undefined;
  }
}

function isApi(value: unknown): value is Api {
  return typeof (value as Api | null | undefined)?.connectSocket === 'function'; // anything may be asked for a name, but for these two
}
