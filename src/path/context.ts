/**
 * The context of a connection or of one packet: Egg's context, over the handshake's request, with the socket's members at hand.
 * All contexts of an app share one prototype; what belongs to one packet is made when it is touched.
 */
import { type IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'socket.io';
import type { EggApplication, EggSession, Logger } from '../egg';
import { keepLocale, type LocaleOwner } from './locale';
import { addModuleScope, type SETTLE } from './module-scope';
import { warnOfResponses } from './response-warnings';
import { createServicesClass } from './service';
import { SHORTHANDS } from './shorthands';
import type { ConnectionSession } from './session';
import type { Acknowledge } from '../types';

/** What contexts need to know of the connection they belong to. */
export interface ContextOwner extends LocaleOwner {
  readonly socket: Socket;
  readonly session: ConnectionSession | undefined;
  /** What the requests of its contexts have beside the handshake's. */
  readonly requestMembers: PropertyDescriptorMap | undefined;
}

export interface SocketContext {
  readonly app: EggApplication;
  readonly logger: Logger;
  readonly socket: Socket;
  readonly req: IncomingMessage;
  /** `[event, ...args]`, and last the acknowledgement function if the client asked for one. Undefined while connecting. */
  packet: unknown[] | undefined;
  args: unknown[];
  readonly ack: Acknowledge | undefined;
  readonly [SETTLE]?: () => void;
}

/** A handler as it is called. Users' types know their context as Egg's, of which this is a part. */
export type SocketHandler = (this: SocketContext, ctx: SocketContext) => unknown;

export type SocketContextClass = new (owner: ContextOwner, packet?: unknown[]) => SocketContext;

const OWNER = Symbol('owner');
const ACK = Symbol('ack');
const ARGS = Symbol('args');
const REQ = Symbol('req');
const RES = Symbol('res');
const REQUEST = Symbol('request');
const RESPONSE = Symbol('response');
const SERVICE = Symbol('service');

/** Makes the class of an app's contexts. To be called when Egg has extended its context prototype and before the first connection. */
export function createContextClass(app: EggApplication, isDevelopment: boolean): SocketContextClass {
  class EggSocketContext {
    declare readonly app: EggApplication;
    declare readonly logger: Logger;
    declare readonly socket: Socket;
    declare packet: unknown[] | undefined;
    declare readonly starttime: number;
    // keyed by symbols rather than private: what stands in for a context, as a proxy, has to work as well
    declare readonly [OWNER]: ContextOwner;
    declare [ACK]: Acknowledge | undefined;
    declare [ARGS]: unknown[] | undefined;
    declare [REQ]: IncomingMessage | undefined;
    declare [RES]: ServerResponse | undefined;
    declare [REQUEST]: object | undefined;
    declare [RESPONSE]: object | undefined;
    declare [SERVICE]: object | undefined;

    constructor(owner: ContextOwner, packet?: unknown[]) {
      this[OWNER] = owner;
      this.socket = owner.socket;
      this.packet = packet;
      this.starttime = Date.now();
      const last = packet?.at(-1);
      this[ACK] = typeof last === 'function' ? (last as Acknowledge) : undefined; // no client can send a function: it is Socket.IO's
    }

    get args(): unknown[] {
      return (this[ARGS] ??= this.packet?.slice(1) ?? []);
    }
    set args(args: unknown[]) {
      this[ARGS] = args;
    }

    get ack(): Acknowledge | undefined {
      return this[ACK];
    }

    /** The handshake's request; what is written to it, as a URL by `ctx.query = ...`, is this context's alone. */
    get req(): IncomingMessage {
      return (this[REQ] ??= Object.create(this.socket.request, this[OWNER].requestMembers ?? {}) as IncomingMessage); // typed as any
    }
    get res(): ServerResponse {
      return (this[RES] ??= new ServerResponse(this.req));
    }
    set res(res: ServerResponse) {
      this[RES] = res;
    }
    get originalUrl(): string {
      return this.socket.request.url ?? '';
    }
    get request(): object {
      return (this[REQUEST] ??= new EggSocketRequest(this));
    }
    get response(): object {
      return (this[RESPONSE] ??= new EggSocketResponse(this));
    }

    /** Put on the prototype only where Egg has sessions. */
    static readonly session: PropertyDescriptor & ThisType<EggSocketContext> = {
      configurable: true,
      get(): EggSession | null | undefined {
        return this[OWNER].session?.value;
      },
      set(session: EggSession | null) {
        if (this[OWNER].session) this[OWNER].session.value = session;
      },
    };
  }

  class EggSocketRequest {
    readonly ctx: EggSocketContext;

    constructor(ctx: EggSocketContext) {
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

    /** `http` or `https`, also where a proxy says `ws` or `wss` of a WebSocket. */
    get protocol(): unknown {
      const protocol: unknown = Reflect.get(app.request, 'protocol', this);
      return protocol === 'ws' ? 'http' : protocol === 'wss' ? 'https' : protocol;
    }
  }

  class EggSocketResponse {
    readonly ctx: EggSocketContext;

    constructor(ctx: EggSocketContext) {
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

  const Services = createServicesClass(app);
  if (Services) {
    Object.defineProperty(EggSocketContext.prototype, 'service', {
      configurable: true,
      get(this: EggSocketContext): object {
        return (this[SERVICE] ??= new Services(this));
      },
    });
  }
  // of Egg's prototypes nothing is changed: ours stand in front of them
  Object.setPrototypeOf(EggSocketContext.prototype, app.context);
  Object.setPrototypeOf(EggSocketRequest.prototype, app.request);
  Object.setPrototypeOf(EggSocketResponse.prototype, app.response);
  // a setter that Koa has under one of these names would be called by the assignments of the constructor
  defineValues(EggSocketContext.prototype, { app, socket: undefined, packet: undefined, starttime: 0 });
  for (const { prototype } of [EggSocketRequest, EggSocketResponse]) defineValues(prototype, { ctx: undefined });
  Object.defineProperties(EggSocketContext.prototype, SHORTHANDS);
  addModuleScope(EggSocketContext.prototype, app);
  keepLocale(EggSocketContext.prototype, app, ctx => ctx[OWNER]);
  if (isDevelopment) warnOfResponses(app, { context: EggSocketContext.prototype, response: EggSocketResponse.prototype });
  if ('session' in app.context) Object.defineProperty(EggSocketContext.prototype, 'session', EggSocketContext.session);
  return EggSocketContext;
}

function defineValues(target: object, values: Record<string, unknown>): void {
  for (const [name, value] of Object.entries(values)) Object.defineProperty(target, name, { value, configurable: true, writable: true });
}
