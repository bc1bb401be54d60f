import type { Context } from 'egg';
import { IoError } from 'egg-socket.io';
import type { User } from '../../types';

export default {
  /** Who is logged in, over HTTP and over Socket.IO alike: the session is the same. Throws if nobody is. */
  get user(): User {
    const { session } = this as unknown as Context; // Egg copies these properties into its context
    if (!session.user) throw new IoError('NOT_LOGGED_IN', 'Please log in first', { status: 401 });
    return session.user;
  },
};
