import type { Middleware } from 'egg-socket.io';
import { roomOfUser } from '../../service/chat';

/** Lets in who is logged in. What `ctx.user` throws refuses everybody else. */
export default (): Middleware => async (ctx, next) => {
  await ctx.socket.join(roomOfUser(ctx.user.id));
  await next();
};
