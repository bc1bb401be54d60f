/** An error that a client has got before, for the same key. It has been logged, and mapped by the app, then. */
import { type ErrorAnswer, IoError } from '../errors';

export class KeptError extends IoError {
  constructor({ code, message, details }: ErrorAnswer) {
    super(code, message, { details });
  }
}
