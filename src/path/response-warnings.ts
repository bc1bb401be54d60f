/** During development, warns of calls that only affect HTTP responses, such as `ctx.body = ...`: an event has no response. */
import type { EggApplication } from '../egg';
import { messageOf, quoted } from '../errors';
import { ownLogger } from '../own-logger';

const RETURN = 'return the value, or call ctx.ack()';
const FAIL = 'throw an IoError, or answer by ctx.ack()';
const TELL = 'tell the client in the acknowledgement, or emit an event';
const COOKIE = 'set it in an HTTP request';

/** The advice for each property and method. */
const SETTERS = { body: RETURN, status: FAIL, type: RETURN };
const METHODS = { redirect: TELL, attachment: RETURN, set: TELL };

interface Prototypes {
  readonly context: object;
  readonly response: object;
}

/** The part of a context that a warning shows. */
interface Shown {
  readonly socket: { readonly nsp: { readonly name: string } };
  readonly packet: unknown[] | undefined;
}

/** To be called during development only, since each call through it costs time. */
export function warnOfResponses(app: EggApplication, { context, response }: Prototypes): void {
  const logger = ownLogger(app);
  const warned = new Set<string>();
  let isInside = false; // within a call that was warned of: `redirect()` sets status and body too

  const warn = (call: string, instead: string, { socket, packet }: Shown): void => {
    if (isInside || warned.has(call)) return;
    warned.add(call);
    const place = packet ? `event ${quoted(packet[0])}` : 'connection middleware';
    logger.warn(messageOf('IO_RESPONSE_IGNORED', `${call} in ${place} of namespace ${quoted(socket.nsp.name)} has no effect: ${instead}`));
  };
  const within = <Result>(work: () => Result): Result => {
    const before = isInside;
    isInside = true;
    try {
      return work();
    } finally {
      isInside = before;
    }
  };

  for (const [name, instead] of Object.entries(SETTERS)) {
    Object.defineProperty(response, name, {
      configurable: true,
      get(this: object): unknown {
        return Reflect.get(app.response, name, this);
      },
      set(this: { ctx: Shown }, value: unknown) {
        warn(`ctx.${name} = ...`, instead, this.ctx);
        within(() => Reflect.set(app.response, name, value, this));
      },
    });
  }
  for (const [name, instead] of Object.entries(METHODS)) {
    Object.defineProperty(response, name, {
      configurable: true,
      writable: true,
      value(this: { ctx: Shown }, ...args: unknown[]): unknown {
        warn(`ctx.${name}()`, instead, this.ctx);
        return within<unknown>(() => Reflect.apply(Reflect.get(app.response, name) as (...args: unknown[]) => unknown, this, args)); // Koa's
      },
    });
  }
  Object.defineProperty(context, 'cookies', {
    configurable: true,
    get(this: Shown): object {
      const cookies = Reflect.get(app.context, 'cookies', this);
      if (Object.hasOwn(cookies, 'set')) return cookies; // wrapped already: Egg creates them once for each context
      const set = Reflect.get(cookies, 'set') as (...args: unknown[]) => unknown;
      const value = (...args: unknown[]): unknown => {
        warn('ctx.cookies.set()', COOKIE, this);
        return within(() => Reflect.apply(set, cookies, args));
      };
      return Object.defineProperty(cookies, 'set', { configurable: true, writable: true, value });
    },
  });
}
