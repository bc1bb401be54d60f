/** The address of a client, as Egg has it for HTTP: `ctx.ip`. */
import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { EggApplication } from '../egg';

/** Undefined if there is none, as with a Unix socket. */
export type AddressOf = (request: IncomingMessage) => string | undefined;

/** By `config.proxy`, `config.ipHeaders`, `config.maxIpsCount` and what the app has made of `request.ip`. Each request is looked at once. */
export function addressesOf(app: EggApplication): AddressOf {
  const noResponse = new ServerResponse(new IncomingMessage(new Socket()));
  const known = new WeakMap<IncomingMessage, string | undefined>();
  return request => {
    if (!known.has(request)) known.set(request, app.createContext(request, noResponse).ip || undefined);
    return known.get(request);
  };
}
