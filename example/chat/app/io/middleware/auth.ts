import type { Middleware } from 'egg-socket.io';
import type ChatService from '../../service/chat';

/** Lets in who is logged in. What `ctx.user` throws refuses everybody else. */
export default (): Middleware => async (ctx, next) => {
  const chat: ChatService = ctx.service.chat; // Egg types every service as any
  await chat.arrive();
  try {
    await next();
  } finally {
    chat.leave(); // the connection has ended, in whatever way
  }
};
