/** Metadata: what others may know of a user. It is kept as JSON, so that all workers have the same value, and nobody changes it later. */
import { mistakeOf } from '../errors';

/** What others may know of a user in a room, such as a name. Any value that JSON has, unless the app declares properties. */
// an interface, so that apps can add to it
export interface PresenceMeta {}

/** The type of metadata: what the app has declared, or any value. */
export type GivenMeta = keyof PresenceMeta extends never ? unknown : PresenceMeta;

/** The largest metadata, in bytes of JSON: each worker keeps that of all users. */
const MAX_BYTES = 4096;

/** @throws TypeError if JSON has no such value, or it is too large */
export function encodeMeta(meta: unknown): string {
  let json: string | undefined;
  try {
    json = JSON.stringify(meta);
  } catch (cause) {
    throw mistakeOf('IO_PRESENCE_META_INVALID', 'the metadata of a user cannot be encoded as JSON', { cause });
  }
  if (json === undefined) throw mistakeOf('IO_PRESENCE_META_INVALID', `the metadata of a user cannot be of the type ${typeof meta}`);
  const size = Buffer.byteLength(json);
  if (size > MAX_BYTES)
    throw mistakeOf('IO_PRESENCE_META_INVALID', `the metadata of a user takes ${size} bytes as JSON, and may take ${MAX_BYTES}`);
  return json;
}
