/** `ctx.request` and `ctx.response` of a packet: Egg's, over the request of the handshake. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { EggApplication } from '../egg';

/** The part of a context that is used here. */
interface Exchange {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly originalUrl: string;
  readonly request: object;
  readonly response: object;
}

type ExchangeClass = new (ctx: Exchange) => object;

/** The classes of an app, which inherit from Egg's prototypes. */
export function createExchangeClasses(app: EggApplication): { readonly Request: ExchangeClass; readonly Response: ExchangeClass } {
  class EggSocketRequest extends partOfExchange(app, app.request) {
    get response(): object {
      return this.ctx.response;
    }
    get originalUrl(): string {
      return this.ctx.originalUrl;
    }

    /** `http` or `https`, even if a proxy sends `ws` or `wss` for a WebSocket. */
    get protocol(): unknown {
      const protocol: unknown = Reflect.get(app.request, 'protocol', this);
      return protocol === 'ws' ? 'http' : protocol === 'wss' ? 'https' : protocol;
    }
  }

  class EggSocketResponse extends partOfExchange(app, app.response) {
    get request(): object {
      return this.ctx.request;
    }
  }

  return { Request: EggSocketRequest, Response: EggSocketResponse };
}

/** What both have. @param prototype Egg's own, which stays unchanged */
function partOfExchange(app: EggApplication, prototype: object): new (ctx: Exchange) => { readonly ctx: Exchange } {
  class Part {
    declare readonly ctx: Exchange;

    constructor(ctx: Exchange) {
      this.ctx = ctx;
    }

    get app(): EggApplication {
      return app;
    }
    get req(): IncomingMessage {
      return this.ctx.req;
    }
    get res(): ServerResponse {
      return this.ctx.res;
    }
  }
  Object.setPrototypeOf(Part.prototype, prototype);
  defineValues(Part.prototype, { ctx: undefined });
  return Part;
}

/** Gives a prototype own values, so that the assignments of a constructor do not call a setter of Koa. */
export function defineValues(target: object, values: Record<string, unknown>): void {
  for (const [name, value] of Object.entries(values)) Object.defineProperty(target, name, { value, configurable: true, writable: true });
}
