/** Which addresses are counted, and what counts as one. */
import { BlockList, isIP, isIPv6 } from 'node:net';

/** Loopback, private and link-local addresses, and those that a provider gives to many customers: a proxy of one's own, an office, a test. */
const UNCOUNTED = new BlockList();
for (const [net, prefix] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
] as const)
  UNCOUNTED.addSubnet(net, prefix, 'ipv4');
for (const [net, prefix] of [
  ['::', 127], // unspecified and loopback
  ['fc00::', 7],
  ['fe80::', 10],
] as const)
  UNCOUNTED.addSubnet(net, prefix, 'ipv6');

/** An IPv4 address in the form of IPv6, or behind NAT64, as URL writes it: the last two numbers have two bytes each. */
const MAPPED = /^(?:::ffff:|64:ff9b::)([\da-f]+):([\da-f]+)$/;
/** Some proxies add the port. */
const PORT = /^(\d+\.\d+\.\d+\.\d+|\[.*\]):\d+$/;

/** The text by which an address is counted: IPv6 by its first 64 bits, since a customer has as many as that. Undefined if it is not counted. */
export function countedAs(address: string | undefined): string | undefined {
  if (address === undefined) return undefined;
  const [plain = ''] = address.trim().replace(PORT, '$1').replaceAll(/[[\]]/g, '').split('%'); // a zone
  if (isIP(plain) === 0) return undefined;
  if (UNCOUNTED.check(plain, isIPv6(plain) ? 'ipv6' : 'ipv4')) return undefined;
  return isIPv6(plain) ? networkOf(plain) : plain;
}

/** As 2001:db8:0:1, or 203.0.113.7 for that in the form of IPv6. */
function networkOf(address: string): string {
  const normal = new URL(`http://[${address}]`).hostname.slice(1, -1); // short, in lower case, without dots
  const [, ...mapped] = MAPPED.exec(normal) ?? [];
  if (mapped.length > 0) return mapped.flatMap(pair => [Number.parseInt(pair, 16) >> 8, Number.parseInt(pair, 16) & 255]).join('.');
  const [head = '', tail] = normal.split('::');
  const groups = head === '' ? [] : head.split(':');
  const missing = tail === undefined ? 0 : 8 - groups.length - (tail === '' ? 0 : tail.split(':').length);
  return [...groups, ...Array.from({ length: missing }, () => '0'), ...(tail ?? '').split(':')].slice(0, 4).join(':');
}
