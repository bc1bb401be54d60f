/** Whose a session is that can be recovered, as the app says: another owner gets a new one. The room of an owner goes with the session to other servers. */
import type { Namespace, Socket } from 'socket.io';
import { isRoomOfOwner } from '../../rooms';
import { serverInternals, socketInternals } from '../../internals/socket-io';

type Client = Socket['client'];

/** Resolves with the room of the owner; with undefined for nobody. Never rejects. */
type OwnerOf = (request: Client['request'], auth: object) => Promise<string | undefined>;

/** @param isWanted whether the session may be looked for */
type Make = (isWanted: boolean, owner?: string) => Socket | Promise<Socket>;

export class Owners {
  readonly #ownerOf: OwnerOf;
  readonly #rooms = new WeakMap<Socket, string>();

  private constructor(ownerOf: OwnerOf) {
    this.#ownerOf = ownerOf;
  }

  /** Undefined if the app does not say whose a session is. */
  static of({ server }: Namespace): Owners | undefined {
    const { owner } = (serverInternals(server).opts.connectionStateRecovery ?? {}) as { readonly owner?: OwnerOf }; // in place of the app's
    return owner && new Owners(owner);
  }

  /** Makes the socket of a client when its owner is known. Clients of protocol 3 have none: they do not return. */
  makerFor(client: Client, auth: object, make: Make): Make {
    if (client.conn.protocol === 3) return make;
    return async isWanted => {
      const owner = await this.#ownerOf(client.request, auth);
      const socket = await make(isWanted, owner);
      if (owner !== undefined) this.#rooms.set(socket, owner);
      return socket;
    };
  }

  /** Whether a session is not of this owner. */
  isOther({ rooms }: { readonly rooms: readonly string[] }, owner: string | undefined): boolean {
    return rooms.find(isRoomOfOwner) !== owner;
  }

  /** To be called when a client has been let in: from then on its session is its owner's. That of a recovered client has the room already. */
  join(socket: Socket): void {
    const owner = this.#rooms.get(socket);
    if (owner !== undefined) void socketInternals(socket).adapter.addAll(socket.id, new Set([owner]));
  }
}
