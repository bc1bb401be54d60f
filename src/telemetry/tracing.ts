/**
 * Spans of OpenTelemetry for connections, packets and broadcasts, by its conventions for messaging:
 * https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/
 */
import { randomUUID } from 'node:crypto';
import type { Attributes, Context, Span, SpanContext, SpanOptions, Tracer } from '@opentelemetry/api';
import type { Namespace, Socket } from 'socket.io';
import type { BroadcastTracer } from '../backplane/wrappers/trace-broadcasts';
import { isReservedRoom } from '../rooms';
import { toError } from '../thrown';
import { formatTraceparent, type OpenTelemetry, parseTraceparent } from './opentelemetry';

/** A span, and the context that makes it the parent of others. */
export interface Traced {
  readonly span: Span;
  readonly context: Context;
}

/** What a span is about. */
interface Subject {
  readonly nsp: Pick<Namespace, 'name'>;
  /** The name of the namespace, or that which it shares with others of its pattern. Undefined if it is not known to be one of few. */
  readonly template: string | undefined;
  /** The event, if it has a route, and so is one of few. */
  readonly route?: string | undefined;
  readonly attributes?: Attributes;
}

/** How a packet or a connection has failed. */
export interface Failure {
  /** That of the error which the client gets. */
  readonly code: string;
  /** Undefined if the client has caused it, or is refused as intended. */
  readonly fault: Error | undefined;
}

/** The most rooms of a broadcast that a span names. */
const MAX_ROOMS = 10;

/** The longest name of a namespace, a room or an event that a span has: clients may have chosen it. */
const MAX_NAME = 256;

/** The conventions have no type for the others. */
const TYPES: Readonly<Record<string, string>> = { process: 'process', deliver: 'process', send: 'send' };

export class Tracing implements BroadcastTracer {
  readonly #api: OpenTelemetry;
  readonly #tracer: Tracer;
  readonly #trust: boolean;
  /** Says which process has emitted a broadcast: there it is delivered within the span of the emit. */
  readonly #id = randomUUID();
  readonly #templateOf: (nsp: Namespace) => string | undefined;

  /** @param templateOf the name that a namespace shares with others of its pattern. Undefined if it is not known. */
  constructor(api: OpenTelemetry, trust: boolean, templateOf: (nsp: Namespace) => string | undefined) {
    this.#api = api;
    this.#tracer = api.trace.getTracer('egg-socket.io');
    this.#trust = trust;
    this.#templateOf = templateOf;
  }

  /** Undefined without an SDK. @param span Default: the one within which this is called */
  traceIdOf(span = this.#api.trace.getActiveSpan()): string | undefined {
    const spanContext = span?.spanContext();
    return spanContext && this.#api.isSpanContextValid(spanContext) ? spanContext.traceId : undefined;
  }

  /** Calls a function within a span. */
  runIn<Result>({ context }: Traced, fn: () => Result): Result {
    return this.#api.context.with(context, fn);
  }

  /** Begins the span of a client that connects. @param sender where the client says that it comes from */
  connect(nsp: Namespace, sender: SpanContext | undefined, startTime?: number): Traced {
    const options = { kind: this.#api.SpanKind.SERVER, ...(startTime !== undefined && { startTime }) };
    return this.#receive('connect', options, { nsp, template: this.#templateOf(nsp) }, sender);
  }

  /** Begins the span of a packet. */
  process({ id, nsp }: Socket, subject: Pick<Subject, 'template' | 'route'>, sender: SpanContext | undefined): Traced {
    return this.#receive(
      'process',
      { kind: this.#api.SpanKind.CONSUMER },
      { ...subject, nsp, attributes: { 'messaging.client.id': id } },
      sender,
    );
  }

  end({ span }: Traced, failure: Failure | undefined): void {
    if (failure) this.#fail(span, failure);
    span.end();
  }

  send<Result>(nsp: Namespace, event: unknown, rooms: ReadonlySet<string>, emit: (carried: string | undefined) => Result): Result {
    const { context, SpanKind, trace } = this.#api;
    const parent = context.active();
    const named = [...rooms].filter(room => !isReservedRoom(room)); // those of users have their ids
    const attributes = { 'socketio.event': nameOf(event), 'socketio.rooms': named.slice(0, MAX_ROOMS).map(nameOf) };
    const span = this.#start('send', { nsp, template: this.#templateOf(nsp), attributes }, { kind: SpanKind.PRODUCER }, parent);
    const spanContext = span.spanContext();
    const carried = this.#api.isSpanContextValid(spanContext) ? `${formatTraceparent(spanContext)} ${this.#id}` : undefined; // no SDK
    try {
      return context.with(trace.setSpan(parent, span), emit, undefined, carried);
    } catch (thrown) {
      const fault = toError(thrown);
      this.#fail(span, { code: 'code' in fault && typeof fault.code === 'string' ? fault.code : fault.name, fault });
      throw thrown;
    } finally {
      span.end();
    }
  }

  deliver(nsp: Namespace, carried: unknown, deliver: () => number): void {
    const [traceparent, process] = typeof carried === 'string' ? carried.split(' ') : [];
    const sender = process === this.#id ? undefined : parseTraceparent(traceparent);
    const startTime = Date.now();
    const clients = deliver();
    if (!sender || clients === 0) return;
    const { ROOT_CONTEXT, SpanKind, trace } = this.#api;
    const subject = { nsp, template: this.#templateOf(nsp), attributes: { 'socketio.clients': clients } };
    this.#start('deliver', subject, { kind: SpanKind.CONSUMER, startTime }, trace.setSpanContext(ROOT_CONTEXT, sender)).end();
  }

  /** Nothing that runs here is the parent: over polling, that would be the request, which ends before what it brings. */
  #receive(operation: string, options: SpanOptions, subject: Subject, sender: SpanContext | undefined): Traced {
    const { ROOT_CONTEXT, trace } = this.#api;
    const parent = sender && this.#trust ? trace.setSpanContext(ROOT_CONTEXT, sender) : ROOT_CONTEXT;
    const links = sender && !this.#trust ? [{ context: sender }] : [];
    const span = this.#start(operation, subject, { ...options, links }, parent);
    return { span, context: trace.setSpan(parent, span) };
  }

  #start(operation: string, { template, nsp, route, attributes }: Subject, options: SpanOptions, parent: Context): Span {
    const name = [operation, template, route].filter(part => part !== undefined).join(' ');
    return this.#tracer.startSpan(
      name,
      {
        ...options,
        attributes: {
          'messaging.system': 'socket.io',
          'messaging.operation.name': operation,
          ...(TYPES[operation] !== undefined && { 'messaging.operation.type': TYPES[operation] }),
          'messaging.destination.name': nameOf(nsp.name),
          ...(template !== undefined && template !== nsp.name && { 'messaging.destination.template': template }),
          ...(route !== undefined && { 'socketio.event': route }),
          ...attributes,
        },
      },
      parent,
    );
  }

  /** What a client has caused is no error of this server, as with HTTP. */
  #fail(span: Span, { code, fault }: Failure): void {
    span.setAttribute('error.type', code);
    if (!fault) return;
    span.setStatus({ code: this.#api.SpanStatusCode.ERROR, message: code });
    try {
      span.recordException(fault);
    } catch {
      // the app's error has a member that cannot be read: a packet has to settle all the same
    }
  }
}

/** Socket.IO takes rooms of any type. An attribute has one type for all. */
function nameOf(value: unknown): string {
  return String(value).slice(0, MAX_NAME);
}
