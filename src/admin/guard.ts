/**
 * Who may use the admin page. A page of another site must not do so in the browser of somebody who may: neither by a request of its own, nor by a
 * host name of its own that it lets point here (DNS rebinding).
 */
import type { IncomingMessage } from 'node:http';
import type { AdminSettings } from '../config/admin';
import type { HttpContext } from '../egg';
import { hostname, hostOf, isSiteOf } from '../handshake/hosts';
import { toError } from '../thrown';

type ProxyConfig = Parameters<typeof hostOf>[1];

/** As this file calls `allow` of the config: with Egg's context, whose type differs between its versions. */
type Allow = (ctx: object) => unknown;

const LOOPBACK = /^(localhost|127(\.\d+){3}|\[::1\])$/;

/** The headers by which a proxy says that a request is somebody else's. */
const FORWARDED = /^(forwarded|x-forwarded-.+|x-real-ip|via)$/;

/** Why a request is refused. Undefined if it is not. */
export async function refusalOf(ctx: HttpContext, { allow }: AdminSettings, config: ProxyConfig): Promise<string | undefined> {
  const refusal = siteRefusal(ctx.req, config) ?? (allow ? undefined : machineRefusal(ctx.req));
  if (refusal !== undefined || !allow) return refusal;
  try {
    return (await (allow as Allow)(ctx)) === true ? undefined : 'config.io.admin.allow has not allowed it';
  } catch (thrown) {
    return `config.io.admin.allow has failed: ${toError(thrown).message}`;
  }
}

/** Only a page of the same host and port, or no page at all. Every request that changes something has to name it. */
function siteRefusal(request: IncomingMessage, config: ProxyConfig): string | undefined {
  const { origin, 'sec-fetch-site': site = 'none', 'sec-fetch-mode': mode } = request.headers;
  const isRead = request.method === 'GET' || request.method === 'HEAD';
  if (origin === undefined && !isRead) return 'the request has no Origin';
  const { header, host } = hostOf(request, config);
  if (origin !== undefined && !isSameSite(host, origin))
    return `it comes from a page of another origin, ${origin}, and its ${header} is ${host}`;
  const isLink = isRead && mode === 'navigate'; // shows the page, and nothing to the other site
  return site === 'none' || site === 'same-origin' || isLink ? undefined : 'it comes from a page of another origin';
}

function isSameSite(host: string, origin: string): boolean {
  try {
    return /^https?:/i.test(origin) && isSiteOf(host, origin);
  } catch {
    return false; // no host, or no origin
  }
}

/** Only somebody at this machine, who asks for it by its own name. */
function machineRefusal({ headers, httpVersion, socket }: IncomingMessage): string | undefined {
  const { remoteAddress = '' } = socket;
  if (!/^(::ffff:)?127\.|^::1$/.test(remoteAddress))
    return `it comes from ${remoteAddress || 'an unknown address'}, and not from this machine`;
  if (httpVersion === '1.0') return 'it comes through a proxy, since it is one of HTTP/1.0'; // nginx before 1.29.7, without a header
  const forwarded = Object.keys(headers).find(name => FORWARDED.test(name));
  if (forwarded !== undefined) return `it comes through a proxy, since it has the header ${forwarded}`;
  const name = hostname(`http://${headers.host}`);
  return name !== undefined && LOOPBACK.test(name) ? undefined : 'its Host is no name of this machine, such as localhost';
}
