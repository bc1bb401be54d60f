/** Who is in a room, as far as this process knows. */
import { Changes, present, type Present, type PresenceChange, type Shown } from './changes';
import { laterThan, metaOf, type Peer, type Share } from './share';

/** A connection to this process. */
interface Local {
  /** Of its user. */
  readonly id: string;
  /** The metadata that it has set, as JSON. */
  meta: string | undefined;
  at: number;
}

/** The same for all rooms. */
export interface Surroundings {
  /** This process. */
  readonly self: Peer;
  /** Called with each change for the clients of this process. */
  readonly tell: (nsp: string, change: PresenceChange) => void;
  /** Called when the connections of a user to this process have changed. */
  readonly onOwnChange: (nsp: string, room: string, id: string) => void;
  /** Called when nothing is left. */
  readonly onEmpty: (nsp: string, room: string) => void;
}

const NO_SHARES: readonly Share[] = [];

export class PresenceRoom {
  readonly #nsp: string;
  readonly #name: string;
  readonly #grace: number;
  readonly #with: Surroundings;
  /** The users with connections. */
  readonly #members = new Map<string, readonly Share[]>();
  /** The users whose last connection has gone less than the grace time ago, in this order. */
  #absent: Map<string, Shown & { readonly until: number }> | undefined;
  /** The connections to this process, by socket. Like the next ones, there only while it has some: there may be many rooms. */
  #locals: Map<string, Local> | undefined;
  /** Those that clients are still to be told of. */
  #changes: Changes | undefined;
  #timer: NodeJS.Timeout | undefined;

  /** @param grace time in ms: a shorter absence is none */
  constructor(nsp: string, name: string, grace: number, surroundings: Surroundings) {
    this.#nsp = nsp;
    this.#name = name;
    this.#grace = grace;
    this.#with = surroundings;
  }

  get count(): number {
    return this.#members.size + (this.#absent?.size ?? 0);
  }

  has(id: string): boolean {
    return this.#members.has(id) || this.#absent?.has(id) === true;
  }

  list(): Present[] {
    this.#changes?.onList();
    const members = [...this.#members].map(([id, shares]) => present(id, { meta: metaOf(shares) }));
    return [...members, ...[...(this.#absent ?? [])].map(([id, shown]) => present(id, shown))];
  }

  /** Whether a connection to this process is present. */
  hasSocket(socket: string): boolean {
    return this.#locals?.has(socket) === true;
  }

  /** A connection to this process has joined. @param id of its user */
  join(socket: string, id: string): void {
    if (this.hasSocket(socket)) return;
    this.#locals ??= new Map();
    this.#locals.set(socket, { id, meta: undefined, at: 0 }); // first: there is somebody to tell
    const own = this.#ownShare(id);
    this.#putOwn(id, (own?.connections ?? 0) + 1, own);
  }

  /** A connection to this process has left. */
  leave(socket: string): void {
    const local = this.#locals?.get(socket);
    const own = local && this.#ownShare(local.id);
    if (!own) return;
    if (this.#locals?.delete(socket) && this.#locals.size === 0) this.#locals = undefined;
    const isShown = local.meta !== undefined && local.at === own.at;
    this.#putOwn(local.id, own.connections - 1, isShown && own.connections > 1 ? this.#newestLocal(local.id) : own);
  }

  /** Sets the metadata of a user, by one of the connections to this process. @param meta JSON */
  setMeta(socket: string, meta: string): void {
    const local = this.#locals?.get(socket);
    const own = local && this.#ownShare(local.id);
    if (!own) return;
    local.meta = meta;
    local.at = laterThan(this.#members.get(local.id) ?? NO_SHARES);
    this.#putOwn(local.id, own.connections, local);
  }

  /** Replaces what is known of a user's connections to one process. */
  put(id: string, share: Share): void {
    const before = this.#members.get(id) ?? NO_SHARES;
    const others = before.filter(({ peer }) => peer !== share.peer);
    if (share.connections === 0 && others.length === before.length) return;
    if (this.#locals) this.#before(id);
    if (share.connections > 0) {
      this.#members.set(id, others.length === 0 ? [share] : others.concat(share)); // no spread, which reserves memory for many more
      this.#return(id);
    } else if (others.length > 0) this.#members.set(id, others);
    else {
      this.#members.delete(id);
      this.#beginAbsence(id, metaOf(before));
    }
  }

  shareOf(peer: Peer, id: string): Share | undefined {
    return this.#members.get(id)?.find(share => share.peer === peer);
  }

  /** The users with connections to one process. */
  *sharesOf(peer: Peer): Iterable<readonly [id: string, share: Share]> {
    for (const [id, shares] of this.#members) {
      const share = shares.find(share => share.peer === peer);
      if (share) yield [id, share];
    }
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#changes?.close();
  }

  /** To be called before something of a user changes. */
  #before(id: string): void {
    this.#changes ??= new Changes(
      id => this.#shown(id),
      change => this.#tell(change),
    );
    this.#changes.before(id);
  }

  #tell(change: Pick<PresenceChange, 'joined' | 'changed' | 'left'>): void {
    this.#changes = undefined;
    const isChange = change.joined.length + change.changed.length + change.left.length > 0;
    if (isChange && this.#locals) this.#with.tell(this.#nsp, { room: this.#name, count: this.count, ...change });
    this.#endIfEmpty();
  }

  /** The user is no longer absent for a while: there again, or gone. */
  #return(id: string): void {
    if (this.#absent?.delete(id) && this.#absent.size === 0) this.#absent = undefined;
  }

  #shown(id: string): Shown | undefined {
    const shares = this.#members.get(id);
    return shares ? { meta: metaOf(shares) } : this.#absent?.get(id);
  }

  #ownShare(id: string): Share | undefined {
    return this.shareOf(this.#with.self, id);
  }

  #putOwn(id: string, connections: number, { meta, at }: Partial<Pick<Share, 'meta' | 'at'>> = {}): void {
    this.put(id, { peer: this.#with.self, connections, meta, at: at ?? 0 });
    this.#with.onOwnChange(this.#nsp, this.#name, id);
  }

  /** The connection of a user to this process that has set metadata last. */
  #newestLocal(id: string): Local | undefined {
    let newest: Local | undefined;
    for (const local of this.#locals?.values() ?? []) if (local.id === id && local.at > (newest?.at ?? 0)) newest = local;
    return newest;
  }

  /** The last connection of a user has gone. */
  #beginAbsence(id: string, meta: string | undefined): void {
    if (this.#grace > 0) {
      this.#absent ??= new Map();
      this.#absent.set(id, { until: performance.now() + this.#grace, meta });
      this.#timer ??= setTimeout(() => this.#endAbsences(), this.#grace).unref();
    } else this.#endIfEmpty();
  }

  #endAbsences(): void {
    this.#timer = undefined;
    const now = performance.now();
    for (const [id, { until }] of this.#absent ?? []) {
      if (until > now) {
        this.#timer = setTimeout(() => this.#endAbsences(), Math.ceil(until - now)).unref();
        break;
      }
      if (this.#locals) this.#before(id);
      this.#return(id);
    }
    this.#endIfEmpty();
  }

  #endIfEmpty(): void {
    if (this.count === 0 && !this.#changes) this.#with.onEmpty(this.#nsp, this.#name);
  }
}
