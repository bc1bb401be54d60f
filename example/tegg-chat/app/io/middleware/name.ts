import type { Middleware } from 'egg-socket.io';

/** Lets in who says a name. A real app would take it from a session, or check a token. */
export default (): Middleware => async (ctx, next) => {
  const { name }: { name?: unknown } = ctx.socket.handshake.auth;
  if (typeof name !== 'string' || name.trim() === '') throw Object.assign(new Error('Please enter a name'), { status: 401 });
  ctx.socket.user = name.trim().slice(0, 20);
  await next();
};
