/** The official client for mini programs. */
import { io as connect, type ManagerOptions, type Socket, type SocketOptions } from 'socket.io-client';
import { MiniProgramError } from './errors';
import type { MiniProgramOptions } from './platform';
import { reconnectOnShow } from './reconnect';
import { miniProgram } from './transport';

export { MiniProgramError, type MiniProgramErrorCode } from './errors';
export type { MiniProgramOptions, Platform } from './platform';
export type { Manager, ManagerOptions, Socket, SocketOptions } from 'socket.io-client';

/** The options of the official client, except those for transports, and those of `miniProgram()`. */
export type Options = Partial<
  Omit<ManagerOptions & SocketOptions, keyof MiniProgramOptions | 'transports' | 'transportImplementations' | 'upgrade'>
> &
  MiniProgramOptions;

/**
 * Connects like `io` of the official client. Each namespace has a socket, and the sockets of one server share a connection.
 *
 * Reconnects at once when the program returns from the background, unless `reconnection` is false.
 *
 * Throws URL_INCOMPLETE or NO_PLATFORM. Later errors are reported by `connect_error`: the message begins with the code, and
 * `description` is a MiniProgramError.
 *
 * @param url the complete URL, with the namespace as its path: 'wss://example.com/chat'. https means wss, and http means ws, which platforms
 * allow during development only.
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
