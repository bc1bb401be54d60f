/**
 * A WebSocket of a platform, with the part of a browser's WebSocket that Engine.IO uses.
 *
 * Most platforms return a SocketTask for each socket. Old versions of Alipay have one socket for the whole program, whose events do not identify
 * a connection: there, a new connection waits for the end of the last one, so that it does not get its late events.
 *
 * A closure instead of a class, since its names can be minified: every phone downloads this code.
 */
import { decodeBase64, encodeBase64 } from './base64';
import { MiniProgramError, type MiniProgramErrorCode, wordsOf } from './errors';
import {
  type Api,
  ask,
  type CloseOptions,
  type ConnectOptions,
  EVENTS,
  type Handshake,
  isAlipay,
  type Listener,
  type SendOptions,
  type SocketEvent,
  type SocketTask,
} from './platform';

export interface PlatformSocket {
  // Engine.IO sets these
  binaryType: string;
  onopen(): void;
  onmessage(event: { data: string | ArrayBuffer }): void;
  onerror(error: MiniProgramError): void;
  onclose(event: unknown): void;

  send(data: string | ArrayBuffer | ArrayBufferView): void;
  close(): void;
}

/** A SocketTask, or the program's only socket. */
interface Line {
  send(options: SendOptions): unknown;
  close(options: CloseOptions): unknown;
  /** Removes the listeners, which would otherwise get events of the next connection too. */
  leave?(): void;
}

/** The most sockets of a program, on every platform with a documented limit. */
const MOST_SOCKETS = 5;

const ADVICE = 'let namespaces share one, or disconnect() one';

/** Time in ms after which the only socket of a program counts as closed: the platform may not report it. */
const CLOSE_TIMEOUT = 3000;

declare function setTimeout(callback: () => void, delay: number): unknown;

/** The only socket of a program, by its API: whether it is in use, and its end. */
const onlySockets = new WeakMap<Api, { isInUse(): boolean; end: Promise<void> }>();

/** The number of sockets that have not ended. */
let openSockets = 0;

export function openSocket(api: Api, handshake: Handshake): PlatformSocket {
  const socket: PlatformSocket = { binaryType: '', onopen: nothing, onmessage: nothing, onerror: nothing, onclose: nothing, send, close };
  const listeners: Record<SocketEvent, Listener> = { Open: opened, Message: received, Error: failed, Close: closed };
  let line: Line | undefined;
  /** Whether the platform has accepted the call. */
  let isAccepted = false;
  let isOpen = false;
  /** Whether Engine.IO has closed it. */
  let isLeft = false;
  /** Whether the socket has ended. */
  let isOver = false;
  let tellEnd: () => void = nothing;
  const end = new Promise<void>(resolve => (tellEnd = resolve));

  // asynchronously: Engine.IO adds its listeners after it has opened a transport, and would miss an earlier error
  void Promise.resolve().then(begin);
  return socket;

  function begin(): void {
    const former = onlySockets.get(api);
    if (isLeft) return;
    if (hasReferer(handshake)) fail('REFERER_FORBIDDEN', 'no program may set it; take it out of extraHeaders');
    else if (!former) connect();
    else if (!former.isInUse()) void former.end.then(begin);
    else fail('ONE_SOCKET_ONLY', `the only one is in use; ${ADVICE}`);
  }

  function connect(): void {
    openSockets++;
    const options: ConnectOptions = Object.assign({ success: () => void (isAccepted = true), fail: rejected }, handshake);
    if (isAlipay()) options.multiple = true;
    try {
      const made = api.connectSocket(options);
      if (isPromise(made)) made.then(listen, rejected);
      else listen(made);
    } catch (error) {
      rejected(error);
    }
  }

  function listen(made: unknown): void {
    if (isOver) return; // the call has failed
    line = isTask(made) ? listenToTask(made) : listenToProgram();
    if (isLeft) hangUp();
  }

  function listenToTask(task: SocketTask): Line {
    for (const event of EVENTS) task[`on${event}`](listeners[event]);
    return task;
  }

  function listenToProgram(): Line {
    // until the platform has accepted this socket, errors and the end are those of the last one
    const ofThis =
      (listener: Listener): Listener =>
      event =>
        isAccepted && listener(event);
    const own = Object.assign({}, listeners, { Error: ofThis(failed), Close: ofThis(closed) });
    onlySockets.set(api, { isInUse: () => !isLeft, end });
    for (const event of EVENTS) ask(api, `onSocket${event}`, own[event]);
    return {
      send: options => ask(api, 'sendSocketMessage', options),
      close: options => ask(api, 'closeSocket', options),
      leave() {
        onlySockets.delete(api);
        // with its listener: without one, the platform would remove all listeners of the program
        for (const event of EVENTS) ask(api, `offSocket${event}`, own[event]);
      },
    };
  }

  function opened(): void {
    isOpen = true;
    if (isLeft)
      hangUp(); // not every platform can close a socket before it is open
    else socket.onopen();
  }

  function received(event: unknown): void {
    if (isOpen && !isLeft) socket.onmessage({ data: frameOf(event) });
  }

  function failed(event: unknown): void {
    if (isOpen) fail('CONNECTION_FAILED', 'connection lost', event);
    else rejected(event, line?.leave);
  }

  function closed(event: unknown): void {
    if (!isOpen) rejected(event); // Engine.IO expects an error if the socket was never open
    finish();
    if (!isLeft) socket.onclose(event);
  }

  /** The connection has failed. With `endFollows`, the platform may still report the end of the socket. */
  function rejected(failure?: unknown, endFollows?: unknown): void {
    const advice = openSockets > MOST_SOCKETS ? `; there may be ${MOST_SOCKETS}: ${ADVICE}` : '';
    fail('CONNECT_FAILED', 'no connection', failure, advice);
    if (!endFollows) finish();
  }

  /** Reports an error to Engine.IO, which then closes the socket. */
  function fail(code: MiniProgramErrorCode, sentence: string, failure?: unknown, advice = ''): void {
    const words = failure === undefined ? '' : ` (${wordsOf(failure)})`;
    if (!isLeft) socket.onerror(new MiniProgramError(code, sentence + words + advice, failure));
  }

  function send(data: string | ArrayBuffer | ArrayBufferView): void {
    const frame = frameFor(data);
    line?.send(Object.assign(frame, { success: nothing, fail: (failure: unknown) => fail('SEND_FAILED', 'nothing was sent', failure) }));
  }

  function close(): void {
    if (isLeft) return;
    isLeft = true;
    if (line && !isOver) hangUp();
  }

  function hangUp(): void {
    const isOnly = line?.leave !== undefined;
    // if closing an open socket fails, it does not exist any more; but the end of the only one may still be reported, and the next would get it
    const fail = isOpen && !isOnly ? finish : nothing;
    line?.close({ code: 1000, success: nothing, fail });
    if (isOnly) setTimeout(finish, CLOSE_TIMEOUT);
  }

  function finish(): void {
    if (isOver) return;
    isOver = true;
    openSockets--;
    line?.leave?.();
    tellEnd();
  }
}

/** Converts data for the platform: binary data to an ArrayBuffer of its own, or to base64 for Alipay. */
function frameFor(data: string | ArrayBuffer | ArrayBufferView): { data: string | ArrayBuffer; isBuffer?: true } {
  if (typeof data === 'string') return { data };
  const bytes = data instanceof ArrayBuffer ? new Uint8Array(data) : new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return isAlipay() ? { data: encodeBase64(bytes), isBuffer: true } : { data: bytes.slice().buffer };
}

/** Converts a frame to text or an ArrayBuffer. Alipay has binary frames as base64 with a flag, with SocketTask in a nested object. */
function frameOf(event: unknown): string | ArrayBuffer {
  const { data, isBuffer } = event as { data: unknown; isBuffer?: unknown }; // documented by every platform
  if (typeof data === 'string') return isBuffer ? decodeBase64(data) : data;
  if ((data as { data?: unknown }).data !== undefined) return frameOf(data); // always an object
  if (data instanceof ArrayBuffer) return data;
  return new Uint8Array(data as ArrayBuffer).slice().buffer; // copies data of another realm, as in developer tools, which Socket.IO would not recognize as binary
}

function hasReferer({ header }: Handshake): boolean {
  return /^referer$/im.test(Object.keys(header ?? {}).join('\n'));
}

function isTask(made: unknown): made is SocketTask {
  return 'onOpen' in Object(made);
}

/** Taro returns a promise. */
function isPromise(made: unknown): made is PromiseLike<unknown> {
  return 'then' in Object(made);
}

function nothing(): void {}
