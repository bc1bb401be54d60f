/** Finds the platform of the mini program, and declares the part of its API that is used here. */
import { MiniProgramError } from './errors';

/** The API of a platform: `wx`, `my`, `tt`, `swan`, `qq`, `ks`, `uni`, `Taro`, or a compatible one. */
export interface Platform {
  connectSocket(options: never): unknown;
}

export interface MiniProgramOptions {
  /**
   * The API of the platform: `wx`, `my`, `tt`, `swan`, `qq`, `ks`, `uni`, `Taro`, or a compatible one.
   * Default: the current platform.
   */
  platform?: Platform;
  /** Whether to send small frames at once. WeChat only; others ignore it. Default: the platform's default, which is false. */
  tcpNoDelay?: boolean;
  /** Whether to request compression, which the server must support too. WeChat only; others ignore it. Default: the platform's default, which is false. */
  perMessageDeflate?: boolean;
}

/** The events of a socket: the ends of the names of listeners. */
export const EVENTS = ['Open', 'Message', 'Error', 'Close'] as const;

export type SocketEvent = (typeof EVENTS)[number];

export interface Api {
  connectSocket(options: ConnectOptions): unknown;
}

/** Methods that not every platform has: the API before SocketTask, with one socket for the whole program, and the events of the background. */
type Optional = `${'on' | 'off'}Socket${SocketEvent}` | 'sendSocketMessage' | 'closeSocket' | `on${'App' | ''}${'Show' | 'Hide'}`;

export type SocketTask = Record<`on${SocketEvent}`, (listener: Listener) => void> & {
  send(options: SendOptions): unknown;
  close(options: CloseOptions): unknown;
};

/** The event's properties differ between platforms. */
export type Listener = (event?: unknown) => unknown;

interface Callbacks {
  success(): void;
  fail(problem?: unknown): void;
}

export interface ConnectOptions extends Handshake, Callbacks {
  /** Alipay only: returns a SocketTask, so that several sockets are possible. */
  multiple?: true;
}

/** The options of a handshake. Those without a value are omitted, since not every platform supports them. */
export interface Handshake {
  url: string;
  header?: Record<string, string>;
  protocols?: string[];
  tcpNoDelay?: boolean;
  perMessageDeflate?: boolean;
}

export interface SendOptions extends Callbacks {
  data: string | ArrayBuffer;
  /** Alipay only: the data is binary, as base64. */
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
 * Functions that return the global of each platform, since there is no global object. `wx` and `uni` are last: QQ also has a `wx`, and uni-app
 * runs on one of the others. Taro, which also runs on one of the others, is not a global and not needed.
 */
const GLOBALS: readonly (() => unknown)[] = [findAlipay, () => tt, () => swan, () => qq, () => ks, () => wx, () => uni];

/** The API of the given platform, or else of the current one. Throws if there is none. */
export function apiOf(given: Platform | undefined): Api {
  // the API below Taro's, whose own connectSocket() returns the task of another socket on Alipay
  const candidates = given === undefined ? GLOBALS.map(attempt) : [(Object(given) as { miniGlobal?: unknown }).miniGlobal, given];
  const api = candidates.find(isApi);
  if (api) return api;
  const place = given === undefined ? 'wx, my, tt, swan, qq, ks or uni' : 'what is given';
  throw new MiniProgramError('NO_PLATFORM', `there is no connectSocket() in ${place}; give yours, as in { platform: wx }`);
}

/** Calls an optional method of a platform. Returns whether it exists. */
export function ask(api: Api, name: Optional, argument: Listener | SendOptions | CloseOptions): boolean {
  const method = (api as unknown as Record<string, unknown>)[name];
  if (typeof method !== 'function') return false;
  (method as Listener).call(api, argument); // all of these take one argument
  return true;
}

/** Whether binary frames are base64: on Alipay, also below uni-app and Taro, which pass them on unchanged. */
export function isAlipay(): boolean {
  return isApi(attempt(findAlipay));
}

function findAlipay(): unknown {
  return my;
}

/** Undefined if the global does not exist. */
function attempt(find: () => unknown): unknown {
  try {
    return find();
  } catch {
    return undefined;
  }
}

function isApi(value: unknown): value is Api {
  return typeof (value as Api | null | undefined)?.connectSocket === 'function'; // safe for any value
}
