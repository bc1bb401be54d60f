/** The official client, in a mini program. */
import { io as connect, type ManagerOptions, type Socket, type SocketOptions } from 'socket.io-client';
import { MiniProgramError } from './errors';
import type { MiniProgramOptions } from './platform';
import { reconnectOnShow } from './reconnect';
import { miniProgram } from './transport';

export { MiniProgramError, type MiniProgramErrorCode } from './errors';
export type { MiniProgramOptions, Platform } from './platform';
export type { Manager, ManagerOptions, Socket, SocketOptions } from 'socket.io-client';

/** Those of the official client, but for what a mini program decides, and those of `miniProgram()`. */
export type Options = Partial<
  Omit<ManagerOptions & SocketOptions, keyof MiniProgramOptions | 'transports' | 'transportImplementations' | 'upgrade'>
> &
  MiniProgramOptions;

/**
 * Connects, as `io` of the official client does. Sockets of one server share a connection; each namespace of it is a socket.
 *
 * Comes back at once when the program returns from the background, unless `reconnection` is false.
 *
 * Throws URL_INCOMPLETE and NO_PLATFORM. Whatever goes wrong later is in `connect_error`: its message begins with the code, and
 * its `description` is a MiniProgramError.
 *
 * @param url in full, with the namespace as its path: 'wss://example.com/chat'. https is taken for wss, and http for ws, which platforms allow
 * in development only.
 */
export function io(url: string, options: Options = {}): Socket {
  if (typeof url !== 'string' || !/^(wss?|https?):\/\/[^/?#]/.test(url)) {
    const given = JSON.stringify(url) ?? '';
    throw new MiniProgramError(
      'URL_INCOMPLETE',
      `io(${given}) names no server, and there is no page whose server it could be; write io('wss://...')`,
    );
  }
  const { platform, tcpNoDelay, perMessageDeflate, ...others } = options;
  const choices = {
    ...(platform !== undefined && { platform }),
    ...(tcpNoDelay !== undefined && { tcpNoDelay }),
    ...(perMessageDeflate !== undefined && { perMessageDeflate }),
  };
  return reconnectOnShow(connect(url, { ...others, ...miniProgram(choices) }), platform);
}
