/** The control event `$io:auth`: a connected client sends a new `auth`, such as a new token, so that its login goes on. */
import type { AsyncLocalStorage } from 'node:async_hooks';
import type { Socket } from 'socket.io';
import { IoError } from '../errors';
import { Bucket } from '../limits/bucket';
import type { Limits } from '../limits/limits';
import { roomOfUser, userIdOf } from '../rooms';
import type { ContextOwner, SocketContext, SocketContextClass } from './context';
import { type Control, UNKNOWN_CONTROL } from './controls';
import { endLogins, OTHER_USER } from './login-end';
import { SETTLE } from './module-scope';

/** The part of a connection that is used here. */
interface Client extends ContextOwner {
  readonly namespace: {
    readonly runtime: { readonly Context: SocketContextClass; readonly storage: AsyncLocalStorage<unknown>; readonly limits: Limits };
  };
  readonly isConnecting: boolean;
  readonly userRoom: string | undefined;
  refuse(answer: { readonly code: string; readonly message: string }): void;
  log(level: 'error', what: string, error: Error): void;
}

/** The part of a login that is used here. */
interface Login {
  readonly hasEnded: boolean;
  readonly rest: number;
  isHeld: boolean;
  renew(): boolean;
}

/** `config.io.auth.renew` */
type Renew = (ctx: SocketContext, auth: object) => unknown;

interface Renewable {
  readonly connection: Client;
  readonly login: Login;
  readonly renew: Renew;
  /** Limits the renewals of this client. Created for the first one. */
  bucket?: Bucket;
}

/** How often one client may renew its login: per second, and at once after a pause. */
const RATE = 1;
const BURST = 10;

/** What the client gets: the time in ms until its login ends. */
interface Renewed {
  readonly expiresIn?: number;
}

// created once, since a client can cause many, and so frozen
const REFUSED = new IoError('AUTH_REFUSED', 'The new login is not valid', { status: 401 });
const INVALID = new IoError('INVALID_ARGUMENT', 'The new auth must be an object');
const TRY_AGAIN = new IoError('TRY_AGAIN', 'The login cannot be renewed now', { status: 429 });

const TOO_LARGE = new IoError('AUTH_TOO_LARGE', 'The auth is too large', { status: 413 });
for (const error of [REFUSED, INVALID, TRY_AGAIN, TOO_LARGE]) Object.freeze(error);

const renewables = new WeakMap<Socket, Renewable>();

export function allowRenewal(connection: Client, login: Login, renew: Renew): void {
  renewables.set(connection.socket, { connection, login, renew });
}

/** Resolves with the acknowledgement; undefined if the client has gone, or goes now. @throws IoError (or rejects) if the login is not renewed */
export const renewLogin: Control = (socket, [auth]) => {
  const renewable = renewables.get(socket);
  if (!renewable) throw UNKNOWN_CONTROL;
  if (typeof auth !== 'object' || auth === null || Array.isArray(auth)) throw INVALID;
  if (renewable.login.isHeld) throw TRY_AGAIN;
  const { limits } = renewable.connection.namespace.runtime;
  renewable.bucket ??= new Bucket(RATE, BURST, performance.now());
  // first: what one client may not do takes nothing from the handshakes of others
  if (!renewable.bucket.take()) {
    limits.report('renewals', 'it is told to try again');
    throw TRY_AGAIN;
  }
  if (Buffer.byteLength(JSON.stringify(auth)) > limits.settings.auth) {
    limits.report('auth', 'a login is not renewed', socket);
    throw TOO_LARGE;
  }
  if (limits.handshakes?.take() === false) {
    limits.report('handshakes', 'a login is not renewed, and its client tries again', socket);
    throw TRY_AGAIN;
  }
  return renew(renewable, auth);
};

async function renew({ connection, login, renew }: Renewable, auth: object): Promise<Renewed | undefined> {
  login.isHeld = true;
  try {
    const given = await askApp(connection, async ctx => renew(ctx, auth));
    if (login.hasEnded) return undefined;
    if (!given) throw REFUSED;
    if (!isUserOf(connection, given)) {
      endLogins([connection], OTHER_USER);
      return undefined;
    }
    takeAuth(connection, login, auth);
    return Number.isFinite(login.rest) ? { expiresIn: login.rest } : {};
  } finally {
    login.isHeld = false;
  }
}

/** @throws IoError if the new login has expired already, and whatever `expiresAt` throws: the former one goes on then */
function takeAuth({ socket: { handshake } }: Client, login: Login, auth: object): void {
  const former: unknown = handshake.auth;
  const { $io } = Object(former) as { readonly $io?: unknown }; // what the client knows has not changed
  handshake.auth = { ...auth, ...($io !== undefined && { $io }) };
  try {
    if (!login.renew()) throw REFUSED;
  } catch (error) {
    Object.assign(handshake, { auth: former });
    throw error;
  }
}

/**
 * Whether a user is that of a connection, which has one for life.
 * @param given what the app has returned: true, which says that the new login is nobody's, where a connection has none
 * @throws TypeError if it cannot be a user
 */
function isUserOf({ userRoom }: Client, given: unknown): boolean {
  if (given === true && userRoom === undefined) return true;
  const id = userIdOf(typeof given === 'object' && given !== null ? Reflect.get(given, 'id') : given);
  return roomOfUser(id) === userRoom;
}

/** Calls a function of the app with a context of its own. */
export async function askApp(connection: Client, ask: (ctx: SocketContext) => Promise<unknown>): Promise<unknown> {
  const { Context, storage } = connection.namespace.runtime;
  const ctx = new Context(connection);
  try {
    return await storage.run(ctx, ask, ctx);
  } finally {
    ctx[SETTLE]?.();
  }
}
