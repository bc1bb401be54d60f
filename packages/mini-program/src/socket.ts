/**
 * One WebSocket of a platform, with as much of a browser's WebSocket as Engine.IO uses.
 *
 * Most platforms give a SocketTask for each socket. Old versions of Alipay have one socket for the whole program, and events that do not say
 * whose they are: there the next socket waits for the end of the last one, whose late events it would take for its own.
 *
 * A closure and not a class, since the names in it become single letters: every byte of this travels to every phone.
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
  /** Takes the listeners away from where they would hear the next socket, too. */
  leave?(): void;
}

/** What a program may have at once, on every platform that says a number. */
const MOST_SOCKETS = 5;

const ADVICE = 'let namespaces share one, or disconnect() one';

/** How long the end of a program's only socket is waited for, in ms: a platform need not tell of it. */
const PATIENCE = 3000;

declare function setTimeout(callback: () => void, delay: number): unknown;

/** The only socket of a program, by the API that it was made with: whether it is still in use, and its end. */
const onlySockets = new WeakMap<Api, { isInUse(): boolean; end: Promise<void> }>();

let living = 0;

export function openSocket(api: Api, handshake: Handshake): PlatformSocket {
  const socket: PlatformSocket = { binaryType: '', onopen: nothing, onmessage: nothing, onerror: nothing, onclose: nothing, send, close };
  const listeners: Record<SocketEvent, Listener> = { Open: opened, Message: received, Error: failed, Close: closed };
  let line: Line | undefined;
  /** The platform has taken the call. */
  let isAccepted = false;
  let isOpen = false;
  /** Engine.IO has closed it. */
  let isLeft = false;
  /** There is no socket any more. */
  let isOver = false;
  let tellEnd: () => void = nothing;
  const end = new Promise<void>(resolve => (tellEnd = resolve));

  // not at once: Engine.IO listens to a transport after it has opened it, and would not hear of what fails in between
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
    living++;
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
    if (isOver) return; // the call has failed meanwhile
    line = isTask(made) ? listenToTask(made) : listenToProgram();
    if (isLeft) hangUp();
  }

  function listenToTask(task: SocketTask): Line {
    for (const event of EVENTS) task[`on${event}`](listeners[event]);
    return task;
  }

  function listenToProgram(): Line {
    // the end of a socket that the platform has not accepted yet is that of the one before
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
        // each by name: without one, the platform takes away the listeners of the whole program
        for (const event of EVENTS) ask(api, `offSocket${event}`, own[event]);
      },
    };
  }

  function opened(): void {
    isOpen = true;
    if (isLeft)
      hangUp(); // not every platform lets go of a socket before it is open
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
    if (!isOpen) rejected(event); // nobody would hear of the end of what has not begun
    finish();
    if (!isLeft) socket.onclose(event);
  }

  /** No connection comes of it, though the end of what has been begun may still be told. */
  function rejected(failure?: unknown, mayBeTold?: unknown): void {
    const advice = living > MOST_SOCKETS ? `; there may be ${MOST_SOCKETS}: ${ADVICE}` : '';
    fail('CONNECT_FAILED', 'no connection', failure, advice);
    if (!mayBeTold) finish();
  }

  /** Engine.IO closes what has failed. */
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
    const wasOpen = isOpen; // what fails to close an open socket has found none
    line?.close({ code: 1000, success: nothing, fail: () => (wasOpen ? finish() : undefined) });
    if (line?.leave) setTimeout(finish, PATIENCE);
  }

  function finish(): void {
    if (isOver) return;
    isOver = true;
    living--;
    line?.leave?.();
    tellEnd();
  }
}

/** Text as it is. Binary data in an ArrayBuffer of its own, or, for Alipay, in base64. */
function frameFor(data: string | ArrayBuffer | ArrayBufferView): { data: string | ArrayBuffer; isBuffer?: true } {
  if (typeof data === 'string') return { data };
  const bytes = data instanceof ArrayBuffer ? new Uint8Array(data) : new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return isAlipay() ? { data: encodeBase64(bytes), isBuffer: true } : { data: bytes.slice().buffer };
}

/** Text, or an ArrayBuffer. Alipay has binary frames in base64, with a note beside it, which SocketTask puts one level deeper. */
function frameOf(event: unknown): string | ArrayBuffer {
  const { data, isBuffer } = event as { data: unknown; isBuffer?: unknown }; // what every platform documents
  if (typeof data === 'string') return isBuffer ? decodeBase64(data) : data;
  if ((data as { data?: unknown }).data !== undefined) return frameOf(data); // no other than an object is documented
  if (data instanceof ArrayBuffer) return data;
  return new Uint8Array(data as ArrayBuffer).slice().buffer; // of another realm, as in developer tools: Socket.IO would not know it for binary
}

function hasReferer({ header }: Handshake): boolean {
  return /^referer$/im.test(Object.keys(header ?? {}).join('\n'));
}

function isTask(made: unknown): made is SocketTask {
  return 'onOpen' in Object(made);
}

/** Taro's. */
function isPromise(made: unknown): made is PromiseLike<unknown> {
  return 'then' in Object(made);
}

function nothing(): void {}
