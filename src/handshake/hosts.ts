/** The host names in origins and headers. */
import type { IncomingMessage } from 'node:http';
import type { EggApplication } from '../egg';

type ProxyConfig = Pick<EggApplication['config'], 'proxy' | 'hostHeaders'>;

const HOST_HEADERS = ['X-Forwarded-Host', 'Host'];

/** The host that the client requested, and the header that contains it. */
export function hostOf({ headers }: IncomingMessage, { proxy, hostHeaders = '' }: ProxyConfig): { header: string; host: string } {
  const names = proxy ? [...hostHeaders.split(','), ...HOST_HEADERS] : ['Host'];
  for (const name of names) {
    const header = name.trim();
    const [host = ''] = String(headers[header.toLowerCase()] ?? '').split(',');
    if (host.trim() !== '') return { header, host: host.trim() };
  }
  return { header: 'Host', host: '' };
}

/** The host name of an origin. Undefined for `null`, `file://` and invalid origins. */
export function hostname(origin: string): string | undefined {
  try {
    return new URL(origin).hostname || undefined;
  } catch {
    return undefined;
  }
}

/** Whether a host, with or without a port, has the host name of an origin. */
export function isNameOf(host: string, origin: string): boolean {
  const name = hostname(`http://${host.split(',')[0]?.trim()}`);
  return name !== undefined && name === hostname(origin);
}

/** Whether a host has the host name and the port of an origin. */
export function isSiteOf(host: string, origin: string): boolean {
  const { host: site, protocol } = new URL(origin);
  return new URL(`${protocol}//${host}`).host === site; // both omit a default port
}

/** Whether a host looks like the target of a proxy: an address, or a name without a public domain. */
export function isInternal(host: string): boolean {
  const name = hostname(`http://${host}`) ?? '';
  return /^(\[.*|[\d.]+|[^.]*|.*\.(local|internal))$/.test(name);
}
