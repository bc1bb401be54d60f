/** The control event `$io:auth`: a connected client sends a new `auth`, such as a new token, so that its login goes on. */
import { IoError } from '../errors';
import { Bucket } from '../limits/bucket';
import { roomOfUser, userIdOf } from '../rooms';
import type { Connection } from './connection';
import { type Control, UNKNOWN_CONTROL } from './controls';
import type { Login, LoginRules } from './login';
import { askApp } from './login-context';
import { endLogins, OTHER_USER } from './login-end';
import { connectionOf } from './socket';

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

/** Resolves with the acknowledgement; undefined if the client has gone, or goes now. @throws IoError (or rejects) if the login is not renewed */
export const renewLogin: Control = (socket, [auth]) => {
  const connection = connectionOf(socket);
  const { login, namespace } = connection;
  const { limits } = namespace.runtime;
  const renew = namespace.loginRules?.renew;
  if (!login || !renew) throw UNKNOWN_CONTROL;
  if (typeof auth !== 'object' || auth === null || Array.isArray(auth)) throw INVALID;
  if (login.isHeld) throw TRY_AGAIN;
  login.renewalLimit ??= new Bucket(RATE, BURST, performance.now());
  // first: what one client may not do takes nothing from the handshakes of others
  if (!login.renewalLimit.take()) {
    limits.report('renewals', 'it is told to try again', socket);
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
  return login.hold(() => renewBy(auth, connection, login, renew));
};

async function renewBy(
  auth: object,
  connection: Connection,
  login: Login,
  renew: NonNullable<LoginRules['renew']>,
): Promise<Renewed | undefined> {
  const given = await askApp(connection, ctx => renew(ctx, auth));
  if (login.hasEnded) return undefined;
  if (!given) throw REFUSED;
  if (!isUserOf(connection, given)) {
    endLogins([connection], OTHER_USER);
    return undefined;
  }
  takeAuth(connection, login, auth);
  return Number.isFinite(login.rest) ? { expiresIn: login.rest } : {};
}

/** @throws IoError if the new login has expired already, and whatever `expiresAt` throws: the former one goes on then */
function takeAuth({ socket: { handshake } }: Connection, login: Login, auth: object): void {
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
function isUserOf({ userRoom }: Connection, given: unknown): boolean {
  if (given === true && userRoom === undefined) return true;
  const id = userIdOf(typeof given === 'object' && given !== null ? Reflect.get(given, 'id') : given);
  return roomOfUser(id) === userRoom;
}
