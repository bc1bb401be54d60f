/**
 * `config.io.allowedHosts`, against DNS rebinding: a page of another site lets its own host name point to this server. Then the browser takes
 * both for the same site, and so does the check of the origin; only the name in `Host` gives it away.
 */
import type { IncomingMessage } from 'node:http';
import type { EggApplication } from '../egg';
import { hostname, hostOf } from './hosts';
import type { RefusedRequests } from './refused-requests';
import { REFUSED, type RequestCheck } from './request-check';

const NOT_ALLOWED = { code: REFUSED.forbidden, message: 'Host not allowed' } as const;

/** @param allowed names; with a dot in front, those below it are meant, too */
export function allowHosts(
  allowed: readonly string[],
  { config }: EggApplication,
  refused: RefusedRequests,
): (request: IncomingMessage) => ReturnType<RequestCheck> {
  const names = new Set<string>();
  const domains: string[] = [];
  for (const name of allowed) {
    const isDomain = name.startsWith('.');
    const normal = hostname(`http://${isDomain ? name.slice(1) : name}`) ?? name; // as below: in lower case, in punycode
    names.add(normal);
    if (isDomain) domains.push(`.${normal}`);
  }
  return request => {
    const { header, host } = hostOf(request, config);
    const name = hostname(`http://${host}`);
    if (name !== undefined && (names.has(name) || domains.some(domain => name.endsWith(domain)))) return undefined;
    refused.warnOfHost(host, header);
    return NOT_ALLOWED;
  };
}
