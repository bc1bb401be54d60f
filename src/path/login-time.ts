/** The times that the app gives for the end of a login. */
import { messageOf } from '../errors';

/** A smaller time in ms is of before 1973, so it must be one in seconds. */
const LEAST_TIME = 1e11;

/** Infinite for nothing. @throws TypeError if it is no time */
export function timeOf(given: unknown): number {
  if (given === undefined || given === null) return Number.POSITIVE_INFINITY;
  const time = given instanceof Date ? given.getTime() : given;
  if (typeof time === 'number' && time >= LEAST_TIME) return time;
  const got = typeof time === 'number' ? String(time) : typeof given;
  throw new TypeError(
    messageOf('IO_AUTH_TIME_INVALID', `config.io.auth.expiresAt must return a Date, or a time in ms since 1970; it returned ${got}`),
  );
}
