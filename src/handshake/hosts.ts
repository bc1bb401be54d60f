/** Names of hosts: of origins, and of headers. */
import type { IncomingMessage } from 'node:http';
import type { EggApplication } from '../egg';

type ProxyConfig = Pick<EggApplication['config'], 'proxy' | 'hostHeaders'>;

const HOST_HEADERS = ['X-Forwarded-Host', 'Host'];

/** The host that the client has asked for, and the header that says so. */
export function hostOf({ headers }: IncomingMessage, { proxy, hostHeaders = '' }: ProxyConfig): { header: string; host: string } {
  const names = proxy ? [...hostHeaders.split(','), ...HOST_HEADERS] : ['Host'];
  for (const name of names) {
    const header = name.trim();
    const [host = ''] = String(headers[header.toLowerCase()] ?? '').split(',');
    if (host.trim() !== '') return { header, host: host.trim() };
  }
  return { header: 'Host', host: '' };
}

/** Undefined for `null`, `file://` and what is no origin. */
export function hostname(origin: string): string | undefined {
  try {
    return new URL(origin).hostname || undefined;
  } catch {
    return undefined;
  }
}

/** Whether a host, with or without its port, is that of an origin. */
export function isNameOf(host: string, origin: string): boolean {
  const name = hostname(`http://${host.split(',')[0]?.trim()}`);
  return name !== undefined && name === hostname(origin);
}

/** Whether a host with its port is that of an origin. */
export function isSiteOf(host: string, origin: string): boolean {
  const { host: site, protocol } = new URL(origin);
  return new URL(`${protocol}//${host}`).host === site; // a default port is left out by both
}

/** Whether a host looks like one that only a proxy asks for: an address, or a name without a domain. */
export function isInternal(host: string): boolean {
  const name = hostname(`http://${host}`) ?? '';
  return /^(\[.*|[\d.]+|[^.]*|.*\.(local|internal))$/.test(name);
}
