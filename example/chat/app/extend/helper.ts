import { IoError } from 'egg-socket.io';
import type { Target } from '../../types';

/** Reads what clients send: it may be anything, whatever the types say. */
const ChatHelper = {
  text(value: unknown, limit: number): string {
    const text = typeof value === 'string' ? value.trim() : '';
    if (text === '') throw new IoError('EMPTY', 'Please write something first');
    if (text.length > limit) {
      throw new IoError('TOO_LONG', `That is too long: ${text.length} characters, and ${limit} are allowed`, { details: { limit } });
    }
    return text;
  },

  target(value: unknown): Target {
    const { room, user } = Object(value) as Record<string, unknown>;
    if (user === undefined) return { room: this.text(room, 20) };
    return { user: this.text(user, 36) };
  },
};

export default ChatHelper;
