/** Options by names of rooms, such as `{ 'room:*': {} }`: one `*` stands for one character or more. A room has one pattern at most, so that their order does not matter. */
import { SetupError } from '../errors';
import { isReservedRoom } from '../rooms';
import { invalid, objectAt, type Reader } from './readers';

/** The longest name of a room that a pattern matches: an app may have it from a client, and it takes memory here. */
const MAX_LENGTH = 200;

/** A pattern, split at its `*`. Without one, `end` is undefined. */
interface Pattern {
  readonly name: string;
  readonly start: string;
  readonly end: string | undefined;
}

/** The options of the rooms that match one of several patterns. */
export class RoomPatterns<Options> {
  /** The patterns without a `*`. */
  readonly #names = new Map<string, Options>();
  readonly #patterns: (readonly [Pattern, Options])[] = [];

  /** @param patterns of which no two match the same name */
  constructor(patterns: Iterable<readonly [Pattern, Options]>) {
    for (const [pattern, options] of patterns)
      if (pattern.end === undefined) this.#names.set(pattern.name, options);
      else this.#patterns.push([pattern, options]);
  }

  /** The options of a room. Undefined if no pattern matches it, and for reserved rooms and long names. */
  of(room: string): Options | undefined {
    return (
      this.#names.get(room) ??
      (isReservedRoom(room) || room.length > MAX_LENGTH ? undefined : this.#patterns.find(([pattern]) => matches(pattern, room))?.[1])
    );
  }
}

/**
 * Reads an object with options by patterns.
 * @param read reads the options of a pattern
 * @throws SetupError if a pattern is not valid, or two of them match the same name
 */
export function readRoomPatterns<Options>(place: string, value: unknown, read: Reader<Options>): RoomPatterns<Options> {
  const patterns: (readonly [Pattern, Options])[] = [];
  for (const [name, options] of Object.entries(objectAt(place, value, "an object with patterns of rooms, such as { 'room:*': {} }"))) {
    const pattern = parse(place, name);
    const other = patterns.find(([other]) => overlap(other, pattern))?.[0];
    if (other) refuse(place, other, pattern);
    patterns.push([pattern, read(`${place}['${name}']`, options)]);
  }
  return new RoomPatterns(patterns);
}

function parse(place: string, name: string): Pattern {
  const [start = '', end, ...more] = name.split('*');
  if (name === '' || more.length > 0) invalid(`${place}['${name}']`, "a name of rooms with one * at most, such as 'room:*'");
  if (isReservedRoom(start)) invalid(`${place}['${name}']`, "a name that does not begin with '$io:', which is reserved");
  return { name, start, end };
}

/** A `*` stands for one character at least. */
function matches({ name, start, end }: Pattern, room: string): boolean {
  if (end === undefined) return room === name;
  return room.length > start.length + end.length && room.startsWith(start) && room.endsWith(end);
}

/** Whether there is a name that both match. */
function overlap(one: Pattern, other: Pattern): boolean {
  if (one.end === undefined) return matches(other, one.name);
  if (other.end === undefined) return matches(one, other.name);
  return (
    (one.start.startsWith(other.start) || other.start.startsWith(one.start)) && (one.end.endsWith(other.end) || other.end.endsWith(one.end))
  );
}

function refuse(place: string, one: Pattern, other: Pattern): never {
  const problem = `${place} has '${one.name}' and '${other.name}', which match the same rooms; make one of them narrower`;
  throw new SetupError('IO_ROOM_PATTERN_AMBIGUOUS', problem);
}
