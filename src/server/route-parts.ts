/** Takes a call of `route()` or `routeUnmatched()` apart. */
import { SetupError } from '../errors';
import type { RouteOptions } from './routes';

/** The arguments after the event: middleware, the handler, and options. What they are is checked where they are used. */
export interface RouteParts {
  readonly middleware: readonly unknown[];
  readonly handler: unknown;
  readonly options: RouteOptions;
}

/**
 * An object at the end is the options, anything else is the handler: an undefined one too, since it is the controller that its file does not
 * export, or options that are undefined.
 * @throws SetupError for unknown options, such as a folder of controllers given as the handler
 */
export function routeParts(args: readonly unknown[], place: string): RouteParts {
  const last = args.at(-1);
  const options = args.length > 1 && typeof last === 'object' && last !== null && !Array.isArray(last) ? last : undefined;
  const middleware = args.slice(0, options ? -1 : undefined);
  const handler = middleware.pop();
  if (middleware.some(isOptions))
    throw new SetupError('IO_ROUTE_INVALID', `${place}: the options have to be the last argument, after the handler`);
  const { acknowledge, idempotencyKey, ...rest }: Record<string, unknown> = { ...options };
  const [unknown] = Object.keys(rest);
  if (unknown !== undefined)
    throw new SetupError(
      'IO_ROUTE_INVALID',
      `${place}: the last argument has '${unknown}', which is no option; the options are acknowledge and idempotencyKey`,
    );
  if (acknowledge !== undefined && typeof acknowledge !== 'boolean')
    throw new SetupError('IO_ROUTE_INVALID', `${place}: acknowledge must be true or false`);
  if (idempotencyKey !== undefined && typeof idempotencyKey !== 'function')
    throw new SetupError('IO_ROUTE_INVALID', `${place}: idempotencyKey must be a function that returns the key of an event`);
  return {
    middleware,
    handler,
    options: {
      ...(acknowledge !== undefined && { acknowledge }),
      ...(idempotencyKey !== undefined && { idempotencyKey: idempotencyKey as NonNullable<RouteOptions['idempotencyKey']> }), // of the app
    },
  };
}

function isOptions(value: unknown): boolean {
  return typeof value === 'object' && value !== null && ('acknowledge' in value || 'idempotencyKey' in value);
}
