import { IoError, type Middleware } from 'egg-socket.io';

const EVENTS = 50;
const SECONDS = 5;

/** Lets a client send so many events in so many seconds. */
export default (): Middleware => async (ctx, next) => {
  const { data } = ctx.socket;
  const window = Math.floor(Date.now() / 1000 / SECONDS);
  data.events = data.window === window ? data.events + 1 : 1;
  data.window = window;
  if (data.events > EVENTS) throw new IoError('TOO_FAST', 'Too many at once: please wait a moment', { status: 429 });
  await next();
};
