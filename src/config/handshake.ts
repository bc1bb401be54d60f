/** Reads `config.io.allowedHosts` and `config.io.bind`. */
import type { BoundTo } from './options';
import { invalid, isSet } from './readers';

const BOUND_TO: ReadonlySet<unknown> = new Set<BoundTo>(['address', 'userAgent', 'cookie']);

/** A host name, with or without a dot in front, or an address: without scheme, port and path. */
const HOST = /^(\.?[\p{L}\p{N}_-]+(\.[\p{L}\p{N}_-]+)*|\[[\da-f:.]+\])$/iu;

/** @throws SetupError if an entry is not the name of a host */
export function readAllowedHosts(place: string, value: unknown): string[] {
  if (!Array.isArray(value) || value.length === 0) invalid(place, "an array of host names, such as ['chat.example.com']", value);
  return value.map((name: unknown, i) => {
    if (typeof name === 'string' && HOST.test(name)) return name;
    return invalid(`${place}[${i}]`, "a host name without scheme and port, such as 'chat.example.com', '.example.com' or '[::1]'");
  });
}

/** @throws SetupError @param sessionKey the name of the cookie of Egg's session. Undefined if that plugin is off. */
export function readBind(value: unknown, sessionKey: string | undefined): BoundTo[] {
  const place = 'config.io.bind';
  if (!isSet(value)) return [];
  const isBind = (names: unknown): names is BoundTo[] => Array.isArray(names) && names.every(name => BOUND_TO.has(name));
  if (!isBind(value)) invalid(place, "an array of 'address', 'userAgent' and 'cookie'");
  if (value.includes('cookie') && sessionKey === undefined) invalid(place, "without 'cookie', since Egg's session plugin is off");
  return value;
}
