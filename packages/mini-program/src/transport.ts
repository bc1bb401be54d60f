/** The transport, for those who have a socket.io-client of their own and a bundler that can build it for a mini program. */
import { type ManagerOptions, WebSocket as WebSocketTransport } from 'socket.io-client';
import { MiniProgramError } from './errors';
import { onReturn } from './foreground';
import { apiOf, type Handshake, type MiniProgramOptions } from './platform';
import { openSocket, type PlatformSocket } from './socket';

export { MiniProgramError, type MiniProgramErrorCode } from './errors';
export type { MiniProgramOptions, Platform } from './platform';

type Packet = Parameters<WebSocketTransport['doWrite']>[0];

/** A frame that says nothing. The protocol has it, and servers ignore it. */
const NOOP = '6';

/**
 * The options that make the official client work in a mini program: `io(url, miniProgram())`, or `io(url, { ...miniProgram(), auth })`.
 *
 * Throws NO_PLATFORM where there is no mini program, or `platform` is none. Whatever goes wrong later is in `connect_error`: its message begins
 * with the code, and its `description` is a MiniProgramError.
 */
export function miniProgram(options: MiniProgramOptions = {}): Pick<ManagerOptions, 'transports'> {
  const api = apiOf(options.platform);
  const choices = Object.assign({}, options);
  delete choices.platform;

  class MiniProgramTransport extends WebSocketTransport {
    /** What the server takes, in bytes. */
    private longest = Infinity;
    private stayAway = (): void => {};

    override createSocket(
      url: string,
      protocols?: string | string[],
      { headers: header }: { headers?: Record<string, string> } = {},
    ): PlatformSocket {
      const handshake: Handshake = Object.assign({ url }, choices);
      // each only if somebody asks for it: not every platform knows it
      if (header) handshake.header = header;
      if (protocols) handshake.protocols = ([] as string[]).concat(protocols);
      return openSocket(api, handshake);
    }

    override doWrite(packet: Packet, data: string | ArrayBuffer | ArrayBufferView): void {
      const { longest } = this;
      // no unit of a text takes more than three bytes, and few texts are long
      const length = typeof data === 'string' ? data.length * 3 > longest && bytesOf(data) : data.byteLength;
      if (Number(length) <= longest) return super.doWrite(packet, data);
      const advice = 'send it in parts, or raise maxHttpBufferSize';
      this.onError('', new MiniProgramError('FRAME_TOO_LONG', `it has ${length} bytes, the server takes ${longest}; ${advice}`));
    }

    protected override onPacket(packet: Packet): void {
      // the protocol has it so
      if (packet.type === 'open') ({ maxPayload: this.longest = Infinity } = JSON.parse(packet.data as string) as { maxPayload?: number });
      super.onPacket(packet);
    }

    protected override onOpen(): void {
      super.onOpen();
      // the platform answers to it whether the socket is still there, as it may not be after some time in the background
      this.stayAway = onReturn(api, () => (this.ws as PlatformSocket).send(NOOP)); // what createSocket has made
    }

    protected override onClose(details?: Parameters<WebSocketTransport['onClose']>[0]): void {
      this.stayAway();
      super.onClose(details);
    }

    /** Its message says what has happened, and not only that something has. */
    protected override onError(_reason: string, error: MiniProgramError): this {
      return super.onError(error.message, error);
    }
  }
  return { transports: [MiniProgramTransport] };
}

/** The length of a text in UTF-8; there is no TextEncoder to ask. */
function bytesOf(text: string): number {
  const count = (units: RegExp): number => text.split(units).length - 1;
  // one more for what is not ASCII, and another for what takes three bytes: half of a character of four takes two
  return text.length + count(/[^\0-\x7f]/) + count(/[\u0800-\ud7ff\ue000-\uffff]/);
}
