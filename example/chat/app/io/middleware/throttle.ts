import type { Middleware } from 'egg-socket.io';

/** Lets a person send so many events in so many seconds. */
export default (): Middleware => async (ctx, next) => {
  await ctx.app.chatMemory.ask('countEvent', ctx.user);
  await next();
};
