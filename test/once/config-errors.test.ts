/** What each mistake in `config.io` gets. That it stops the boot, or is logged, is in config.test.ts and adapter.test.ts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runInThisContext } from 'node:vm';
import { readConfig } from '../support/parts';

type Config = Parameters<typeof readConfig>[0];

/** A config file of an app. */
function fileOf(io: string, more = ''): string {
  return `exports.io = ${io}; ${more}`;
}

const EGG_REDIS = `exports.redis = { clients: { cache: { host: '127.0.0.1', port: 1, password: '', db: 0 }, io: { host: '127.0.0.1', port: 2, password: '', db: 0 } } };`;
const ONE_CLIENT = `exports.redis = { client: { host: '127.0.0.1', port: 1, password: '', db: 0 } };`;

test('a wrong type or value stops the boot and says what it must be', () => {
  for (const [io, message] of [
    [`'on'`, /config\.io must be an object, not a string/],
    [`[]`, /config\.io must be an object, not an array/],
    [`{ adminUi: true }`, /config\.io\.adminUi must be an object, not a boolean/],
    [`{ adminUi: {} }`, /config\.io\.adminUi\.auth must be false or an object/],
    [`{ adminUi: { auth: true } }`, /config\.io\.adminUi\.auth must be false or an object, not a boolean/],
    [`{ adminUi: { auth: { type: 'digest', username: 'a', password: 'b' } } }`, /config\.io\.adminUi\.auth\.type must be 'basic'/],
    [`{ adminUi: { auth: { type: 'basic', password: 'b' } } }`, /config\.io\.adminUi\.auth\.username must be a string/],
    [
      `{ adminUi: { auth: { type: 'basic', username: 'a', password: 'b' } } }`,
      /config\.io\.adminUi\.auth\.password must be a hash of bcrypt/,
    ],
    ...['$2$10$', '$2x$10$', '$2b$03$', '$2b$32$'].map(
      start =>
        [
          `{ adminUi: { auth: { type: 'basic', username: 'a', password: '${start}${'x'.repeat(53)}' } } }`,
          /config\.io\.adminUi\.auth\.password must be a hash of bcrypt/,
        ] as const,
    ),
    [`{ adminUi: { auth: false, mode: 'dev' } }`, /config\.io\.adminUi\.mode must be 'development' or 'production'/],
    [`{ adminUi: { auth: false, read_only: true } }`, /config\.io\.adminUi must be an object with auth, .*; it has read_only/],
    [`{ documents: 'docs' }`, /config\.io\.documents must be false or a path, such as '\/io-docs'/],
    [`{ documents: true }`, /config\.io\.documents must be false or a path, such as '\/io-docs'/],
    [`{ unmatched: 'eror' }`, /config\.io\.unmatched must be 'ignore' or 'error'/],
    [`{ limits: false }`, /config\.io\.limits must be an object, not a boolean/],
    [`{ limits: { event: false } }`, /config\.io\.limits must be an object with events, .*; it has event, did you mean events\?/],
    [`{ limits: { events: true } }`, /config\.io\.limits\.events must be an object with perSecond, burst, drop, or false, not a boolean/],
    [`{ limits: { events: { perSecond: -1 } } }`, /config\.io\.limits\.events\.perSecond must be a whole number from 1 on, not -1/],
    [`{ limits: { events: { rate: 1 } } }`, /config\.io\.limits\.events must be an object with perSecond, burst, drop; it has rate/],
    [`{ limits: { pending: { max: '10' } } }`, /config\.io\.limits\.pending\.max must be a number, not a string/],
    [`{ limits: { namespaces: { max: 0 } } }`, /config\.io\.limits\.namespaces\.max must be a whole number from 1 on, not 0/],
    [`{ limits: { backlog: -1 } }`, /config\.io\.limits\.backlog must be a whole number from 1 on, not -1/],
    [`{ limits: { auth: '64kb' } }`, /config\.io\.limits\.auth must be a number, not a string/],
    [`{ limits: { attachments: true } }`, /config\.io\.limits\.attachments must be a number, not a boolean/],
    [`{ limits: { rooms: { nameLength: 1.5 } } }`, /config\.io\.limits\.rooms\.nameLength must be a whole number from 1 on, not 1\.5/],
    [`{ namespace: { '/chat': { limits: { rooms: 7 } } } }`, /config\.io\.namespace\['\/chat'\]\.limits\.rooms must be an object, not 7/],
    [`{ limits: { eventName: '200' } }`, /config\.io\.limits\.eventName must be a number, not a string/],
    [`{ limits: { handlerTimeout: -1 } }`, /config\.io\.limits\.handlerTimeout must be a whole number from 1 to 2147483647, not -1/],
    [`{ limits: { handlerTimeout: true } }`, /config\.io\.limits\.handlerTimeout must be a number, not a boolean/],
    [
      `{ namespace: { '/chat': { limits: { handlerTimeout: '5s' } } } }`,
      /config\.io\.namespace\['\/chat'\]\.limits\.handlerTimeout must be a number, not a string/,
    ],
    [`{ limits: { recovery: { bytes: -1 } } }`, /config\.io\.limits\.recovery\.bytes must be a whole number from 1 on, not -1/],
    [`{ limits: { connections: -1 } }`, /config\.io\.limits\.connections must be a whole number from 1 on, not -1/],
    [`{ limits: { handshakes: '500' } }`, /config\.io\.limits\.handshakes must be a number, not a string/],
    [`{ limits: { perAddress: true } }`, /config\.io\.limits\.perAddress must be an object, not a boolean/],
    [`{ limits: { perAddress: {} } }`, /config\.io\.limits\.perAddress must be an object with connections, handshakes or events, or false/],
    [`{ limits: { perAddress: { events: -1 } } }`, /config\.io\.limits\.perAddress\.events must be a whole number from 1 on, not -1/],
    [`{ limits: { perAddress: { event: 1 } } }`, /\.perAddress must be an object with connections, handshakes, events; it has event/],
    [`{ limits: { perEvent: ['typing'] } }`, /\.perEvent must be an object with names of events, .*, not an array/],
    [`{ limits: { perEvent: { typing: 5 } } }`, /\.perEvent\['typing'\] must be an object, not 5/],
    [`{ limits: { perEvent: { typing: { burst: 0 } } } }`, /\.perEvent\['typing'\]\.burst must be a whole number from 1 on, not 0/],
    [`{ limits: { pending: 'off' } }`, /config\.io\.limits\.pending must be an object, not a string/],
    [
      `{ namespace: { '/chat': { limits: { pending: {} } } } }`,
      /config\.io\.namespace\['\/chat'\]\.limits\.pending must be in config\.io\.limits, since it is for all namespaces of a client together/,
    ],
    [`{ init: [] }`, /config\.io\.init must be an object, not an array/],
    [`{ init: { allowRequest: true } }`, /config\.io\.init\.allowRequest must be a function/],
    [`{ init: { wsEngine: 1 } }`, /config\.io\.init\.wsEngine must be a string or a function, not 1/],
    [`{ init: { cors: 'https://a.example' } }`, /config\.io\.init\.cors must be an object or a function, not a string/],
    [`{ init: { cors: true } }`, /config\.io\.init\.cors must be an object or a function, not a boolean/],
    [`{ init: { pingTimeout: 'soon' } }`, /config\.io\.init\.pingTimeout must be a number, not a string/],
    [`{ init: { transports: 'websocket' } }`, /config\.io\.init\.transports must be an array, not a string/],
    [
      `{ init: { transports: ['websocket', 'webtransport'] } }`,
      /config\.io\.init\.transports must be an array without webtransport, which has no HTTP request/,
    ],
    [`{ init: { maxHttpBufferSize: '1mb' } }`, /config\.io\.init\.maxHttpBufferSize must be a number, not a string/],
    [`{ init: { allowEIO3: 'no' } }`, /config\.io\.init\.allowEIO3 must be true, false or 'websocket'/],
    [`{ init: { allowEIO3: 1 } }`, /config\.io\.init\.allowEIO3 must be a boolean or a string, not 1/],
    [`{ allowedHosts: 'a.example' }`, /config\.io\.allowedHosts must be an array of host names, .*, not a string/],
    [`{ allowedHosts: [] }`, /config\.io\.allowedHosts must be an array of host names/],
    ...['http://a.example', 'a.example:80', '', '*', 'a/b', '.'].map(
      host => [`{ allowedHosts: ['${host}'] }`, /config\.io\.allowedHosts\[0\] must be a host name/] as const,
    ),
    [`{ bind: 'address' }`, /config\.io\.bind must be an array of 'address', 'userAgent' and 'cookie'/],
    [`{ bind: ['ip'] }`, /config\.io\.bind must be an array of/],
    [`{ bind: ['cookie'] }`, /config\.io\.bind must be without 'cookie', since Egg's session plugin is off/],
    [`{ init: { connectionStateRecovery: { owner: 'id' } } }`, /connectionStateRecovery\.owner must be a function, not a string/],
    [`{ init: { connectionStateRecovery: 1 } }`, /config\.io\.init\.connectionStateRecovery must be an object/],
    [`{ namespace: ['/'] }`, /config\.io\.namespace must be an object, not an array/],
    [`{ namespace: { '/chat': 'auth' } }`, /config\.io\.namespace\['\/chat'\] must be an object, not a string/],
    [
      `{ namespace: { '/chat': { packetMiddleware: 'auth' } } }`,
      /\['\/chat'\]\.packetMiddleware must be an array of names, such as \['auth'\]/,
    ],
    [`{ namespace: { '/chat': { connectionMiddleware: [() => {}] } } }`, /\['\/chat'\]\.connectionMiddleware must be an array of names/],
    [`{ namespace: { '/chat': { ordered: 'yes' } } }`, /\['\/chat'\]\.ordered must be true or false, not a string/],
    [`{ namespace: { '/chat': { userLimits: 10 } } }`, /\['\/chat'\]\.userLimits must be an object, not 10/],
    [`{ namespace: { '/chat': { userLimits: {} } } }`, /\.userLimits must be an object with connections, events or both/],
    [`{ namespace: { '/chat': { userLimits: { conections: 1 } } } }`, /it has conections, did you mean connections\?/],
    [`{ namespace: { '/chat': { userLimits: { connections: 0 } } } }`, /\.userLimits\.connections must be a whole number from 1 on, not 0/],
    [`{ namespace: { '/chat': { userLimits: { connections: 1, whenFull: 'wait' } } } }`, /\.whenFull must be 'replace' or 'refuse'/],
    [`{ namespace: { '/chat': { userLimits: { events: 1, whenFull: 'refuse' } } } }`, /\.whenFull must be set together with connections/],
    [`{ namespace: { '/chat': { userLimits: { events: '1' } } } }`, /\.userLimits\.events must be a number, not a string/],
    [
      `{ namespace: { '/chat': { userLimits: { events: 1, burst: 1.5 } } } }`,
      /\.userLimits\.burst must be a whole number from 1 on, not 1\.5/,
    ],
    [`{ namespace: { '/chat': { userLimits: { connections: 1, burst: 1 } } } }`, /\.burst must be set together with events/],
    [`{ auth: true }`, /config\.io\.auth must be an object, not a boolean/],
    [`{ auth: { maxage: 1 } }`, /config\.io\.auth must be an object with .*it has maxage, did you mean maxAge\?/],
    [`{ auth: { followSession: 'yes' } }`, /config\.io\.auth\.followSession must be true or false, not a string/],
    [`{ namespace: { '/chat': { auth: { followSession: true } } } }`, /\.auth must be an object with .*it has followSession/],
    [`{ auth: { maxAge: 0 } }`, /config\.io\.auth\.maxAge must be a whole number from 1 on, not 0/],
    [`{ auth: { expiresAt: 1000 } }`, /config\.io\.auth\.expiresAt must be a function, not 1000/],
    [`{ auth: { renew: true } }`, /config\.io\.auth\.renew must be a function, not a boolean/],
    [`{ auth: { recheck: { check() {} } } }`, /config\.io\.auth\.recheck\.every must be a number/],
    [`{ auth: { recheck: { every: 1000 } } }`, /config\.io\.auth\.recheck\.check must be a function/],
    [`{ auth: { recheck: { every: 1000, check() {}, after: 1 } } }`, /recheck must be an object with every, check; it has after/],
    [`{ namespace: { '/chat': { auth: { maxAge: '1h' } } } }`, /\['\/chat'\]\.auth\.maxAge must be a number, not a string/],
    [
      `{ namespace: { '/chat': { presence: ['room:*'] } } }`,
      /\['\/chat'\]\.presence must be an object with patterns of rooms, .*, not an array/,
    ],
    [`{ namespace: { '/chat': { presence: { 'room:*': true } } } }`, /\.presence\['room:\*'\] must be an object, not a boolean/],
    [
      `{ namespace: { '/chat': { presence: { 'room:*': { gracee: 1 } } } } }`,
      /\.presence\['room:\*'\] must be an object with grace; it has gracee/,
    ],
    [`{ namespace: { '/chat': { presence: { 'room:*': { grace: '5s' } } } } }`, /\['room:\*'\]\.grace must be .*, not (?:a string|5s)/],
    [`{ namespace: { '/chat': { presence: { 'room:*': { grace: -1 } } } } }`, /\['room:\*'\]\.grace must be .*, not -1/],
    [`{ namespace: { '/chat': { presence: { 'room:*': { grace: 86400001 } } } } }`, /\['room:\*'\]\.grace must be .*, not 86400001/],
    [`{ namespace: { '/chat': { packetMidleware: [] } } }`, /it has packetMidleware, did you mean packetMiddleware\?/],
    [`{ namespace: { chat: {}, '/chat': {} } }`, /config\.io\.namespace\['\/chat'\] is set twice, with and without its leading slash/],
    [`{ generateId: 'uuid' }`, /config\.io\.generateId must be a function, not a string/],
    [`{ redis: 6379 }`, /config\.io\.redis must be options, a URL, the name of a client in config\.redis, or true, not 6379/],
    [`{ redis: { port: 'first' } }`, /config\.io\.redis\.port must be a number/],
    [`{ redis: { port: 65536 } }`, /config\.io\.redis\.port must be a whole number from 1 to 65535, not 65536/],
    [`{ redis: { port: 70000 } }`, /config\.io\.redis\.port must be a whole number from 1 to 65535, not 70000/],
    [`{ redis: { host: 1 } }`, /config\.io\.redis\.host must be a string/],
    [`{ redis: { db: -1 } }`, /config\.io\.redis\.db must be a whole number from 0 on/],
  ] as const) {
    const error = refusalOf(fileOf(io), 'IO_CONFIG_INVALID', message);
    assert.match(error.message, /\(egg-socket\.io\/docs\/errors\.md#io_config_invalid\)$/);
  }
});

test('what is gone with Socket.IO 2 stops the boot with what to write instead', () => {
  for (const [io, message] of [
    [
      `{ init: { origins: '*:*' } }`,
      /config\.io\.init\.origins was an option of Socket\.IO 2; list the origins in config\.io\.init\.cors\.origin/,
    ],
    [`{ redis: { pubClient: {} } }`, /config\.io\.redis\.pubClient: give host and port/],
  ] as const) {
    refusalOf(fileOf(io), 'IO_CONFIG_REMOVED', message);
  }
});

test('an option at the wrong place is told where it belongs, and one like no other is told nothing that it is not', () => {
  const misplaced: Record<string, string> = {
    'cors: {}': 'config.io.cors is not an option; did you mean config.io.init.cors?',
    'pingTimeout: 1': 'config.io.pingTimeout is not an option; did you mean config.io.init.pingTimeout?',
    'origins: []': 'config.io.origins is not an option; did you mean config.io.init.cors.origin?',
    "origin: '*'": 'config.io.origin is not an option; did you mean config.io.init.cors.origin?',
    "packetMiddleware: ['auth']": "config.io.packetMiddleware is not an option; did you mean config.io.namespace['/'].packetMiddleware?",
    "'/chat': {}": "config.io./chat is not an option; did you mean config.io.namespace['/chat']?",
    'namespaces: {}': 'config.io.namespaces is not an option; did you mean namespace?',
    'handlerTimeout: 1000': 'config.io.handlerTimeout is not an option; did you mean config.io.limits.handlerTimeout?',
    'followSession: true': 'config.io.followSession is not an option; did you mean config.io.auth.followSession?',
    "host: '10.0.0.1'": 'config.io.host is not an option; did you mean config.io.redis.host?',
    'maxLen: 1': 'config.io.maxLen is not an option; did you mean config.io.adapter.maxLen?',
    'colour: 1': 'config.io.colour is not an option; the options are init, namespace, adapter, redis, cluster, ',
    'init: { namespace: {} }': 'config.io.init.namespace is not an option; did you mean config.io.namespace?',
    'init: { credentials: true }': 'config.io.init.credentials is not an option; did you mean config.io.init.cors.credentials?',
    'init: { maxDisconnectionDuration: 1 }':
      'config.io.init.maxDisconnectionDuration is not an option; did you mean config.io.init.connectionStateRecovery.maxDisconnectionDuration?',
    'init: { colour: 1 }': 'config.io.init.colour is not an option (',
    'init: { cors: { origins: [] } }': 'config.io.init.cors.origins is not an option; did you mean config.io.init.cors.origin?',
    'init: { cors: { orign: [] } }': 'config.io.init.cors.orign is not an option; did you mean origin?',
    'redis: { port: 1, maxLen: 1 }': 'config.io.redis.maxLen is not an option; did you mean config.io.adapter.maxLen?',
  };
  for (const [io, warning] of Object.entries(misplaced)) {
    const warnings = warningsOf(fileOf(`{ ${io} }`)).filter(line => line.includes('IO_CONFIG_UNKNOWN_KEY'));
    assert.equal(warnings.length, 1, warnings.join('\n'));
    assert.ok(warnings[0]?.includes(warning), `${io}: ${warnings[0]}`);
  }
});

for (const [what, config, code, message] of [
  [
    'an unknown adapter',
    fileOf(`{ adapter: 'redis-stream' }`),
    'IO_ADAPTER_UNKNOWN',
    /config\.io\.adapter names 'redis-stream', which is unknown; use redis, redis-sharded, redis-streams, mongo, postgres or a function\. Did you mean redis-streams\?/,
  ],
  ['an adapter without a name', fileOf(`{ adapter: { maxLen: 1 } }`), 'IO_ADAPTER_UNKNOWN', /config\.io\.adapter has no name; use redis,/],
  ['a name of every object', fileOf(`{ adapter: 'constructor' }`), 'IO_ADAPTER_UNKNOWN', /names 'constructor'/],
  [
    'a value that is no adapter',
    fileOf(`{ adapter: 1 }`),
    'IO_CONFIG_INVALID',
    /config\.io\.adapter must be the name of an adapter, an object with its name and options, or a function, not 1/,
  ],
  [
    'an option of another adapter',
    fileOf(`{ adapter: { name: 'redis', maxLen: 100 } }`),
    'IO_CONFIG_INVALID',
    /config\.io\.adapter\.maxLen is an option of redis-streams; redis has requestsTimeout, publishOnSpecificResponseChannel/,
  ],
  [
    'an unknown option',
    fileOf(`{ adapter: { name: 'redis-streams', maxlen: 100 } }`),
    'IO_CONFIG_INVALID',
    /config\.io\.adapter\.maxlen is not an option of redis-streams; did you mean maxLen\?/,
  ],
  [
    'an address at the wrong place',
    fileOf(`{ adapter: { name: 'redis', host: '10.0.0.1' } }`),
    'IO_CONFIG_INVALID',
    /config\.io\.adapter\.host belongs in config\.io\.redis/,
  ],
  [
    'an option of the wrong type',
    fileOf(`{ adapter: { name: 'redis-streams', maxLen: '100' } }`),
    'IO_CONFIG_INVALID',
    /config\.io\.adapter\.maxLen must be a number, not a string/,
  ],
  [
    'a number that cannot be',
    fileOf(`{ adapter: { name: 'redis', requestsTimeout: 0 } }`),
    'IO_CONFIG_INVALID',
    /config\.io\.adapter\.requestsTimeout must be a whole number from 1 on, not 0/,
  ],
  [
    'a mode that there is not',
    fileOf(`{ adapter: { name: 'redis-sharded', subscriptionMode: 'all' } }`),
    'IO_CONFIG_INVALID',
    /config\.io\.adapter\.subscriptionMode must be 'static' or 'dynamic' or 'dynamic-private'/,
  ],
  [
    'a missing option',
    fileOf(`{ adapter: { name: 'mongo', url: 'mongodb://127.0.0.1' } }`),
    'IO_CONFIG_INVALID',
    /config\.io\.adapter\.database is missing: mongo needs it/,
  ],
  [
    'a missing option',
    fileOf(`{ adapter: 'postgres' }`),
    'IO_CONFIG_INVALID',
    /config\.io\.adapter\.connection is missing: postgres needs it/,
  ],
  [
    'Redis beside an adapter that has no use for it',
    fileOf(`{ adapter: { name: 'postgres', connection: 'postgres://127.0.0.1' }, redis: {} }`),
    'IO_CONFIG_INVALID',
    /config\.io\.redis has no effect with the adapter postgres; remove one of the two/,
  ],
  [
    'Redis beside an adapter of your own',
    fileOf(`{ adapter: () => {}, redis: {} }`),
    'IO_CONFIG_INVALID',
    /config\.io\.redis has no effect with a config\.io\.adapter of your own/,
  ],
  [
    'two adapters',
    fileOf(`{ adapter: 'redis', init: { adapter: () => {} } }`),
    'IO_CONFIG_INVALID',
    /config\.io\.adapter and config\.io\.init\.adapter are both set; keep one/,
  ],
  [
    'Redis beside an adapter for Socket.IO',
    fileOf(`{ redis: {}, init: { adapter: () => {} } }`),
    'IO_CONFIG_INVALID',
    /config\.io\.redis and config\.io\.init\.adapter are both set; keep one/,
  ],
  [
    'a URL of something else',
    fileOf(`{ redis: 'http://127.0.0.1' }`),
    'IO_CONFIG_INVALID',
    /config\.io\.redis must be a URL like redis:\/\//,
  ],
  ['a URL that is none', fileOf(`{ redis: { url: 'redis://' } }`), 'IO_CONFIG_INVALID', /config\.io\.redis must be a URL like redis:\/\//],
  [
    'sentinels that are none',
    fileOf(`{ redis: { sentinels: 'a:26379', name: 'main' } }`),
    'IO_CONFIG_INVALID',
    /config\.io\.redis\.sentinels must be an array of servers, such as \[\{ host: '10\.0\.0\.1', port: 6379 \}\], not a string/,
  ],
  [
    'sentinels without the name of the master',
    fileOf(`{ redis: { sentinels: [{ host: '127.0.0.1', port: 26379 }] } }`),
    'IO_CONFIG_INVALID',
    /config\.io\.redis\.name must be the sentinels' name of the master/,
  ],
  [
    'a Cluster without nodes',
    fileOf(`{ redis: { cluster: true } }`),
    'IO_CONFIG_INVALID',
    /config\.io\.redis\.nodes must be an array of servers/,
  ],
  [
    'streams of a Cluster in a database',
    fileOf(`{ adapter: 'redis-streams', redis: { nodes: [{ port: 1 }], db: 1 } }`),
    'IO_CONFIG_INVALID',
    /config\.io\.redis\.db: a Redis Cluster has no databases; set config\.io\.redis\.key instead/,
  ],
  [
    'sharded channels of a Cluster',
    fileOf(`{ adapter: 'redis-sharded', redis: { nodes: [{ port: 1 }] } }`),
    'IO_CONFIG_INVALID',
    /config\.io\.adapter 'redis-sharded' does not support a Redis Cluster: .*; use 'redis'/,
  ],
  [
    'a client by name where there are none',
    fileOf(`{ redis: 'io' }`),
    'IO_REDIS_CLIENT_UNKNOWN',
    /config\.io\.redis names the client 'io', but there is no config\.redis: enable egg-redis or @eggjs\/redis/,
  ],
  [
    'a client of another name',
    fileOf(`{ redis: 'oi' }`, EGG_REDIS),
    'IO_REDIS_CLIENT_UNKNOWN',
    /names the client 'oi', which is not in config\.redis\.clients; its clients are: cache, io \(/,
  ],
  [
    'a client of a name of every object',
    fileOf(`{ redis: 'toString' }`, EGG_REDIS),
    'IO_REDIS_CLIENT_UNKNOWN',
    /names the client 'toString'/,
  ],
  [
    'a name where the only client has none',
    fileOf(`{ redis: { use: 'io' } }`, ONE_CLIENT),
    'IO_REDIS_CLIENT_UNKNOWN',
    /its clients are: none; config\.redis has one client, without a name: write true/,
  ],
  [
    'the only client where there are two',
    fileOf(`{ redis: true }`, EGG_REDIS),
    'IO_REDIS_CLIENT_UNKNOWN',
    /config\.io\.redis is true, which needs exactly one client in config\.redis; its clients are: cache, io\. Name one/,
  ],
] as const) {
  test(`${what} stops the boot: ${message.source.slice(0, 60)}`, () => {
    refusalOf(config, code, message);
  });
}

test('limits have their defaults, and false turns one off', () => {
  const { limits } = readConfig({ io: { limits: { events: { perSecond: 20 }, pending: false } } }, 1, () => {});
  assert.deepEqual(limits.events, { perSecond: 20, burst: 5000, drop: false });
  assert.equal(limits.pending, undefined);
  assert.deepEqual(readConfig({ io: { limits: null } }, 1, () => {}).limits.pending, { max: 1000, drop: false });
});

/** Returns the error with which the config is refused. */
function refusalOf(file: string, code: string, message: RegExp): Error & { code?: string } {
  try {
    warningsOf(file);
  } catch (error) {
    const refusal = error as Error & { code?: string }; // nothing else is thrown
    assert.equal(refusal.code, code, file);
    assert.match(refusal.message, message);
    return refusal;
  }
  throw new Error(`it is taken: ${file}`);
}

function warningsOf(file: string): string[] {
  const config: Config = {};
  (runInThisContext(`exports => { ${file} }`) as (exports: Config) => void)(config);
  const warnings: string[] = [];
  readConfig(config, 1, warning => void warnings.push(warning));
  return warnings;
}
