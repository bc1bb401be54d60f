/**
 * The context of a connection or of one packet: Egg's context, based on the handshake's request, with members of the socket.
 * All contexts of an app share one prototype; members of a single packet are created on first access.
 */
import { type IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'socket.io';
import type { EggApplication, EggSession, Logger } from '../egg';
import { keepLocale, type LocaleOwner } from './locale';
import { addModuleScope, type SETTLE } from './module-scope';
import { createExchangeClasses, defineValues } from './request';
import { warnOfResponses } from './response-warnings';
import { createServicesClass } from './service';
import { SHORTHANDS } from './shorthands';
import { addParams, type ParamsOwner } from './params';
import type { ConnectionSession } from './session';
import { addSignal, SIGNAL, type SignalOwner } from './signal';
import type { Tracer } from './tracer';
import type { Acknowledge } from '../events';

/** The part of a connection that its contexts use. */
export interface ContextOwner extends LocaleOwner, ParamsOwner, SignalOwner {
  readonly socket: Socket;
  readonly session: ConnectionSession | undefined;
  /** Members that `ctx.req` has in addition to those of the handshake's request. */
  readonly requestMembers: PropertyDescriptorMap | undefined;
}

export interface SocketContext {
  readonly app: EggApplication;
  readonly logger: Logger;
  readonly socket: Socket;
  readonly req: IncomingMessage;
  /** `[event, ...args]`, followed by the acknowledgement function if the client asked for one. Undefined while connecting. */
  packet: unknown[] | undefined;
  args: unknown[];
  readonly ack: Acknowledge | undefined;
  readonly [SETTLE]?: () => void;
  [SIGNAL]: AbortController | null | undefined;
}

/** A handler, as this plugin calls it. In users' types the context is Egg's, of which this is a part. */
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

/** Creates the class of an app's contexts. To be called after Egg has extended its context prototype, and before the first connection. */
export function createContextClass(app: EggApplication, isDevelopment: boolean, tracer: Tracer | undefined): SocketContextClass {
  const exchange = createExchangeClasses(app);
  class EggSocketContext {
    declare readonly app: EggApplication;
    declare readonly logger: Logger;
    declare readonly socket: Socket;
    declare packet: unknown[] | undefined;
    declare readonly starttime: number;
    // symbols instead of private fields, so that a proxy of a context works too
    declare readonly [OWNER]: ContextOwner;
    declare [ACK]: Acknowledge | undefined;
    declare [ARGS]: unknown[] | undefined;
    declare [REQ]: IncomingMessage | undefined;
    declare [RES]: ServerResponse | undefined;
    declare [REQUEST]: object | undefined;
    declare [RESPONSE]: object | undefined;
    declare [SERVICE]: object | undefined;
    declare [SIGNAL]: AbortController | null | undefined;

    constructor(owner: ContextOwner, packet?: unknown[]) {
      this[OWNER] = owner;
      this.socket = owner.socket;
      this.packet = packet;
      this.starttime = Date.now();
      const last = packet?.at(-1);
      this[SIGNAL] = undefined;
      this[ACK] = typeof last === 'function' ? (last as Acknowledge) : undefined; // Socket.IO's: a client cannot send a function
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

    /** Inherits from the handshake's request. Assignments, such as the URL by `ctx.query = ...`, affect this context only. */
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
      return (this[REQUEST] ??= new exchange.Request(this));
    }
    get response(): object {
      return (this[RESPONSE] ??= new exchange.Response(this));
    }

    /** Defined on the prototype only if Egg has sessions. */
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

  const Services = createServicesClass(app);
  if (Services) {
    Object.defineProperty(EggSocketContext.prototype, 'service', {
      configurable: true,
      get(this: EggSocketContext): object {
        return (this[SERVICE] ??= new Services(this));
      },
    });
  }
  // inherits from Egg's, which stays unchanged
  Object.setPrototypeOf(EggSocketContext.prototype, app.context);
  defineValues(EggSocketContext.prototype, { app, socket: undefined, packet: undefined, starttime: 0 });
  Object.defineProperties(EggSocketContext.prototype, SHORTHANDS);
  addModuleScope(EggSocketContext.prototype, app);
  keepLocale(EggSocketContext.prototype, app, ctx => ctx[OWNER]);
  addParams(EggSocketContext.prototype, ctx => ctx[OWNER]);
  addSignal(EggSocketContext.prototype, ctx => ctx[OWNER]);
  if (tracer && !('tracer' in app.context)) addTracer(EggSocketContext.prototype, tracer);
  if (isDevelopment) warnOfResponses(app, { context: EggSocketContext.prototype, response: exchange.Response.prototype as object });
  if ('session' in app.context) Object.defineProperty(EggSocketContext.prototype, 'session', EggSocketContext.session);
  return EggSocketContext;
}

/** Egg's loggers write `ctx.tracer.traceId` into each line. */
function addTracer(prototype: object, tracer: Tracer): void {
  Object.defineProperty(prototype, 'tracer', {
    configurable: true,
    get(this: SocketContext): { readonly traceId: string | undefined } {
      return { traceId: tracer.traceIdOf(this) };
    },
    set(value: unknown) {
      Object.defineProperty(this, 'tracer', { value, writable: true, enumerable: true, configurable: true }); // an app may have its own
    },
  });
}
