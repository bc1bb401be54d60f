import { IoError } from 'egg-socket.io';
import * as v from 'valibot';

const ChatHelper = {
  /** Checks what has come by HTTP. Events are checked by the contract. */
  check<Schema extends v.GenericSchema>(schema: Schema, value: unknown): v.InferOutput<Schema> {
    const result = v.safeParse(schema, value);
    if (result.success) return result.output;
    throw new IoError('INVALID_ARGUMENT', result.issues[0].message);
  },
};

export default ChatHelper;
