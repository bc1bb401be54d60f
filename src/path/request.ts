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
  class EggSocketRequest {
    readonly ctx: Exchange;

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

  class EggSocketResponse {
    readonly ctx: Exchange;

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
    get request(): object {
      return this.ctx.request;
    }
  }

  Object.setPrototypeOf(EggSocketRequest.prototype, app.request);
  Object.setPrototypeOf(EggSocketResponse.prototype, app.response);
  for (const { prototype } of [EggSocketRequest, EggSocketResponse]) defineValues(prototype, { ctx: undefined });
  return { Request: EggSocketRequest, Response: EggSocketResponse };
}

/** Gives a prototype own values, so that the assignments of a constructor do not call a setter of Koa. */
export function defineValues(target: object, values: Record<string, unknown>): void {
  for (const [name, value] of Object.entries(values)) Object.defineProperty(target, name, { value, configurable: true, writable: true });
}
