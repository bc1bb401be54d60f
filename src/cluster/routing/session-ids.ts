/** Ids of Engine.IO's sessions that contain their owner: `<worker>.<id>`. */
import type { IncomingMessage } from 'node:http';
import type { Server as EngineServer } from 'engine.io';

/** Digits only, since the client can choose it and it becomes part of a file name. */
const OWNER = /[?&]sid=([1-9]\d{0,8})\./;

/** The worker in the session id of a request, if any. It may not exist: the client can send anything. */
export function ownerNamedBy({ url = '' }: IncomingMessage): string | undefined {
  return OWNER.exec(url)?.[1];
}

/** The id of the session that a request names. Empty if it names none. */
export function sessionIdOf({ url = '' }: IncomingMessage): string {
  return new URLSearchParams(url.slice(url.indexOf('?'))).get('sid') ?? '';
}

/** Whether a request is the first of a polling client. A client that begins with WebSocket stays at its worker, to avoid piping all its frames. */
export function beginsSession({ method, url = '' }: IncomingMessage): boolean {
  return method === 'GET' && /[?&]transport=polling\b/.test(url) && !/[?&]sid=/.test(url);
}

/** Adds a prefix to every id that the engine generates, even with a `generateId` that the app assigns later, as Engine.IO documents. */
export function prefixIds(engine: EngineServer, prefix: string): void {
  let generateId = engine.generateId.bind(engine);
  const generatePrefixedId: typeof generateId = request => {
    const id: string | PromiseLike<string> = generateId(request);
    return typeof id === 'string' ? prefix + id : Promise.resolve(id).then(id => prefix + id); // the app's function may be asynchronous
  };
  Object.defineProperty(engine, 'generateId', {
    get: () => generatePrefixedId,
    set(fn: typeof generateId) {
      generateId = fn.bind(engine);
    },
  });
}
