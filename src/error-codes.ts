/** The codes of this plugin's errors and log lines. docs/errors.md explains each one. */

/** Codes of mistakes in the app's set-up. They stop the boot, unless docs/errors.md calls them a warning. */
export type SetupCode =
  | 'IO_ADAPTER_MISSING'
  | 'IO_ADAPTER_UNKNOWN'
  | 'IO_ADDRESS_FORGEABLE'
  | 'IO_ADMIN_UI_MISSING'
  | 'IO_ADMIN_UI_OPEN'
  | 'IO_AGENT_ADAPTER'
  | 'IO_AGENT_ALONE'
  | 'IO_CONFIG_INVALID'
  | 'IO_CONFIG_REMOVED'
  | 'IO_CONFIG_UNKNOWN_KEY'
  | 'IO_CONTRACT_DUPLICATE'
  | 'IO_CONTRACT_INVALID'
  | 'IO_CONTRACT_LATE'
  | 'IO_CONTROLLER_INVALID'
  | 'IO_CONTROLLER_UNKNOWN'
  | 'IO_CORS_CREDENTIALS'
  | 'IO_DRAIN_CUT'
  | 'IO_ENGINE_MISSING'
  | 'IO_INTERNALS_MISSING'
  | 'IO_JSON_SCHEMA_MISSING'
  | 'IO_MIDDLEWARE_INVALID'
  | 'IO_MIDDLEWARE_UNKNOWN'
  | 'IO_PATTERN_INVALID'
  | 'IO_PATTERN_LATE'
  | 'IO_PROCESSES_UNKNOWN'
  | 'IO_RATE_LIMITER_MISSING'
  | 'IO_RECOVERY_CLEANUP'
  | 'IO_RECOVERY_UNAVAILABLE'
  | 'IO_REDIS_CLIENT_UNKNOWN'
  | 'IO_ROOM_PATTERN_AMBIGUOUS'
  | 'IO_ROUTE_DUPLICATE'
  | 'IO_ROUTE_DYNAMIC'
  | 'IO_ROUTE_INVALID'
  | 'IO_ROUTE_UNREACHABLE'
  | 'IO_RUN_FOLDER_UNUSABLE'
  | 'IO_SERVER_TIMEOUT'
  | 'IO_SESSION_ID_PUBLIC'
  | 'IO_STICKY_MISSING'
  | 'IO_STORE_MISSING'
  | 'IO_TEGG_CLASS_INVALID'
  | 'IO_TEGG_CLASS_LOST'
  | 'IO_TEGG_INJECT_UNKNOWN'
  | 'IO_TEGG_OFF'
  | 'IO_TELEMETRY_MISSING'
  | 'IO_WS_ENGINE_MISSING';

/** Codes of an outage of a backplane to other servers. */
export type PulsedCode = 'IO_DATABASE_DOWN' | 'IO_REDIS_DOWN';

/** Codes of a command that such a backplane refuses. */
export type RefusedCode = 'IO_DATABASE_REFUSED' | 'IO_REDIS_REFUSED';

/**
 * The codes of an `OutageError`: `IO_REDIS_DOWN` or `IO_DATABASE_DOWN` if the other servers cannot be reached,
 * `IO_REDIS_REFUSED` or `IO_DATABASE_REFUSED` if Redis or the database refuses a command that the question needs,
 * `IO_HUB_DOWN` if the other workers of this machine cannot be reached, `IO_HUB_OVERFLOW` if too many messages are queued for them.
 */
export type OutageCode = PulsedCode | RefusedCode | 'IO_HUB_DOWN' | 'IO_HUB_OVERFLOW';

/** Codes of problems while the app runs. They are logged; some are also the `code` of an error that a call rejects with. */
export type RuntimeCode =
  | OutageCode
  | 'IO_ADDRESSES_UNSHARED'
  | 'IO_ANSWER_INVALID'
  | 'IO_ANSWER_MISSING'
  | 'IO_AUTH_TIME_INVALID'
  | 'IO_BIND_REFUSED'
  | 'IO_CLIENT_GONE'
  | 'IO_CONTRACT_VIOLATED'
  | 'IO_CORS_MISSING'
  | 'IO_DEPRECATED'
  | 'IO_EMIT_INVALID'
  | 'IO_EVENT_UNMATCHED'
  | 'IO_HISTORY_INVALID'
  | 'IO_HOST_REFUSED'
  | 'IO_ID_INVALID'
  | 'IO_JSONP_REFUSED'
  | 'IO_LIMIT_REACHED'
  | 'IO_MESSAGE_INVALID'
  | 'IO_MESSAGE_TOO_LARGE'
  | 'IO_MESSAGES_MISSED'
  | 'IO_NAMESPACE_UNKNOWN'
  | 'IO_ONERROR_INVALID'
  | 'IO_ONEVENT_REPLACED'
  | 'IO_ORIGIN_MISMATCH'
  | 'IO_ORIGIN_REFUSED'
  | 'IO_RESPONSE_IGNORED'
  | 'IO_PATTERN_UNSUPPORTED'
  | 'IO_PRESENCE_ABSENT'
  | 'IO_PRESENCE_META_INVALID'
  | 'IO_PROMETHEUS_PORT'
  | 'IO_RECOVERY_AUTH'
  | 'IO_RECOVERY_FAILED'
  | 'IO_ROOM_NOT_STRING'
  | 'IO_ROOM_UNMATCHED'
  | 'IO_SCHEMA_FAILED'
  | 'IO_SERVER_UNKNOWN'
  | 'IO_UPGRADE_MISSING'
  | 'IO_USER_CHANGED'
  | 'IO_USER_INVALID'
  | 'IO_USER_LATE'
  | 'IO_USER_LIMIT'
  | 'IO_USER_UNCOUNTED';
