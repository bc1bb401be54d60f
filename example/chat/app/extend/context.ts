import type { Context } from 'egg';
import { IoError } from 'egg-socket.io';
import type { User } from '../../contract';

export default {
  /**
   * Who is logged in, over HTTP and over Socket.IO alike. Throws if nobody is.
   * A connection belongs to whom the guard has let in (app/io/middleware/auth), whatever becomes of the session.
   */
  get user(): User {
    const user = this.socket.user ?? this.session.user; // over HTTP the socket is one of TCP, which has no user
    if (!user) throw new IoError('NOT_LOGGED_IN', 'Please log in first', { status: 401 });
    return user;
  },
} satisfies { user: User } & ThisType<Context>; // Egg copies these properties into its context
