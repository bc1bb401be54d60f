/** Refusals in Engine.IO's place, where it has none that fits. */
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import type { Server as EngineServer } from 'engine.io';
import type { EngineRequest } from './engine-io';

/** An answer of HTTP in place of Engine.IO's own, whose only status codes are 400 and 403. */
interface HttpRefusal {
  readonly status: number;
  readonly headers: OutgoingHttpHeaders;
  readonly code: string;
  readonly message: string;
}

/**
 * Refuses a polled request in place of Engine.IO's `verify()`, and tells the listeners of `connection_error`. By then, middleware of the engine has added
 * the headers of CORS, without which pages of other origins could not read the answer.
 */
export function refuseRequest(engine: EngineServer, request: EngineRequest, refusal: HttpRefusal): void {
  const { status, headers, code, message } = refusal;
  const { res: response } = request as unknown as { readonly res: ServerResponse }; // set by Engine.IO for each request that is no upgrade
  reportRefusal(engine, request, refusal);
  response.writeHead(status, { ...headers, 'Content-Type': 'application/json' }).end(JSON.stringify({ code, message }));
}

/** Tells the listeners of `connection_error` of a request that is refused in Engine.IO's place. */
export function reportRefusal(engine: EngineServer, req: IncomingMessage, { code, message }: Pick<HttpRefusal, 'code' | 'message'>): void {
  engine.emit('connection_error', { req, code: 4, message: code, context: { message } }); // 4: forbidden
}
