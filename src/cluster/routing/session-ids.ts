/** Ids of Engine.IO's sessions that name their owner: `<worker>.<id>`. */
import type { IncomingMessage } from 'node:http';
import type { Server as EngineServer } from 'engine.io';

/** Nothing but digits: it comes from a client, and leads to a file. */
const OWNER = /[?&]sid=([1-9]\d{0,8})\./;

/** The worker that the session id of a request names, if any. A client can make one up. */
export function ownerNamedBy({ url = '' }: IncomingMessage): string | undefined {
  return OWNER.exec(url)?.[1];
}

/** Whether it is the first request of a client that polls. One that begins with a WebSocket stays where it is: it would be piped all its life. */
export function beginsSession({ method, url = '' }: IncomingMessage): boolean {
  return method === 'GET' && /[?&]transport=polling\b/.test(url) && !/[?&]sid=/.test(url);
}

/** Puts a prefix before every id that the engine generates, also with a function that the app assigns later, as Engine.IO documents it. */
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
