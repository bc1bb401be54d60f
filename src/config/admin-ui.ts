/** The options of Socket.IO's own admin UI, and their reader. */
import { isDevelopment } from '../errors';
import { booleanAt, invalid, objectAt, oneOf, readEach, stringAt, withDefault } from './readers';

/** `config.io.adminUi`: the options of [`instrument()`](https://socket.io/docs/v4/admin-ui/#available-options). */
export interface AdminUiConfig {
  /** Who may connect: whoever knows a name and a password, or, with `false`, whom the namespace's connection middleware lets in. Default: it must be set. Since 5. */
  auth: false | AdminUiPassword;
  /** `'development'`: the page is told of every event with its content. `'production'`: of numbers. Default: `'development'` in the environments `local` and `unittest`, else `'production'`. Since 5. */
  mode?: 'development' | 'production';
  /** The namespace that the page connects to. Default: `'/admin'`. Since 5. */
  namespaceName?: string;
  /** Whether the page can only look, and not emit, disconnect, join and leave. Default: `false`. Since 5. */
  readonly?: boolean;
  /** The name of this server in the page. Default: its host name, followed by the process id if it is a worker. Since 5. */
  serverId?: string;
  /** Where the sessions of those who gave the password are kept, such as a `RedisStore` of the package. Default: in the worker. Since 5. */
  store?: object;
}

/** What the page asks for. */
export interface AdminUiPassword {
  /** The only kind that there is. Default: it must be set. Since 5. */
  type: 'basic';
  /** The name that the page asks for. Default: it must be set. Since 5. */
  username: string;
  /** The password that the page asks for, as a hash of bcrypt. Default: it must be set. Since 5. */
  password: string;
}

/** As `instrument()` takes them. */
export type AdminUiSettings = Readonly<
  Pick<AdminUiConfig, 'auth' | 'store' | 'serverId'> & Required<Pick<AdminUiConfig, 'mode' | 'namespaceName' | 'readonly'>>
>;

/** What https://www.npmjs.com/package/bcryptjs can compare: version, rounds, salt and hash. Any other fails only when somebody gives a password. */
const BCRYPT = /^\$2[aby]\$(?:0[4-9]|[12]\d|3[01])\$[./\dA-Za-z]{53}$/;

export function readAdminUi(place: string, value: unknown, env: string | undefined): AdminUiSettings {
  const { serverId, store, ...rest } = readEach<AdminUiSettings>(place, value, {
    auth: authAt,
    mode: withDefault(oneOf('development', 'production'), isDevelopment(env) ? 'development' : 'production'),
    namespaceName: withDefault(stringAt, '/admin'),
    readonly: withDefault(booleanAt, false),
    serverId: withDefault(stringAt, undefined),
    store: withDefault(objectAt, undefined),
  });
  return { ...rest, ...(serverId !== undefined && { serverId }), ...(store && { store }) }; // instrument() takes undefined for a value
}

function authAt(place: string, value: unknown): false | AdminUiPassword {
  if (value === false) return false;
  const given = objectAt(place, value, 'false or an object');
  return readEach<AdminUiPassword>(place, given, { type: oneOf('basic'), username: stringAt, password: hashAt });
}

function hashAt(place: string, value: unknown): string {
  if (typeof value !== 'string' || !BCRYPT.test(value)) invalid(place, 'a hash of bcrypt');
  return value;
}
