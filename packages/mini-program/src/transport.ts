/** The transport alone, for programs with their own socket.io-client, and a bundler that can build it for mini programs. */
import { type ManagerOptions, WebSocket as WebSocketTransport } from 'socket.io-client';
import { MiniProgramError } from './errors';
import { onReturn } from './foreground';
import { apiOf, type Handshake, type MiniProgramOptions } from './platform';
import { openSocket, type PlatformSocket } from './socket';

export { MiniProgramError, type MiniProgramErrorCode } from './errors';
export type { MiniProgramOptions, Platform } from './platform';

type Packet = Parameters<WebSocketTransport['doWrite']>[0];

/** The protocol's packet without content, which servers ignore. */
const NOOP = '6';

/**
 * The options that make the official client work in a mini program: `io(url, miniProgram())`, or `io(url, { ...miniProgram(), auth })`.
 *
 * Throws NO_PLATFORM outside of a mini program, or if `platform` is not one. Later errors are reported by `connect_error`: the message begins
 * with the code, and `description` is a MiniProgramError.
 */
export function miniProgram(options: MiniProgramOptions = {}): Pick<ManagerOptions, 'transports'> {
  const api = apiOf(options.platform);
  const choices = Object.assign({}, options);
  delete choices.platform;

  class MiniProgramTransport extends WebSocketTransport {
    /** The limit of the server, in bytes. */
    private longest = Infinity;
    private stayAway = (): void => {};

    override createSocket(
      url: string,
      protocols?: string | string[],
      { headers: header }: { headers?: Record<string, string> } = {},
    ): PlatformSocket {
      const handshake: Handshake = Object.assign({ url }, choices);
      // omitted without a value, since not every platform supports them
      if (header) handshake.header = header;
      if (protocols) handshake.protocols = ([] as string[]).concat(protocols);
      return openSocket(api, handshake);
    }

    override doWrite(packet: Packet, data: string | ArrayBuffer | ArrayBufferView): void {
      const { longest } = this;
      // a UTF-16 unit has at most three bytes; counted exactly only if the text may be too long
      const length = typeof data === 'string' ? data.length * 3 > longest && bytesOf(data) : data.byteLength;
      if (Number(length) <= longest) return super.doWrite(packet, data);
      const advice = 'send it in parts, or raise maxHttpBufferSize';
      this.onError('', new MiniProgramError('FRAME_TOO_LONG', `it has ${length} bytes, the server takes ${longest}; ${advice}`));
    }

    protected override onPacket(packet: Packet): void {
      // as the protocol defines
      if (packet.type === 'open') ({ maxPayload: this.longest = Infinity } = JSON.parse(packet.data as string) as { maxPayload?: number });
      super.onPacket(packet);
    }

    protected override onOpen(): void {
      super.onOpen();
      // fails if the platform has closed the socket in the background
      this.stayAway = onReturn(api, () => (this.ws as PlatformSocket).send(NOOP)); // made by createSocket
    }

    protected override onClose(details?: Parameters<WebSocketTransport['onClose']>[0]): void {
      this.stayAway();
      super.onClose(details);
    }

    /** Reports the message of the error, instead of a generic reason. */
    protected override onError(_reason: string, error: MiniProgramError): this {
      return super.onError(error.message, error);
    }
  }
  return { transports: [MiniProgramTransport] };
}

/** The length of a text in UTF-8. There is no TextEncoder. */
function bytesOf(text: string): number {
  const count = (units: RegExp): number => text.split(units).length - 1;
  // one byte more for a unit that is not ASCII, and another for a character of three bytes; half of a four-byte character has two
  return text.length + count(/[^\0-\x7f]/) + count(/[\u0800-\ud7ff\ue000-\uffff]/);
}
