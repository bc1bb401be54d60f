import type { Middleware } from 'egg-socket.io';
import { roomOfUser } from '../../service/chat';
import type ChatService from '../../service/chat';

/** Lets in who is logged in. What `ctx.user` throws refuses everybody else. */
export default (): Middleware => async (ctx, next) => {
  const { user, socket } = ctx;
  const chat: ChatService = ctx.service.chat; // Egg types every service as any
  socket.data.user = user;
  try {
    await chat.arrive();
    await socket.join(roomOfUser(user.id));
    await next();
  } finally {
    chat.leave(); // the connection has ended, in whatever way
  }
};
