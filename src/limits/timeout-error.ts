/** The error of something that has taken too long. */
import { IoError } from '../errors';

/** Without a stack: a timer creates it, and its message has the place. */
export function timeoutError(code: 'CONNECT_TIMEOUT' | 'TIMEOUT', message: string): IoError {
  const error = new IoError(code, message, { status: code === 'TIMEOUT' ? 504 : 503 });
  error.stack = `${error.name}: ${message}`;
  return error;
}
