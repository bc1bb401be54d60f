/** Answers load balancers and supervisors that ask how a worker is: `config.io.health`. */
import type { EggApplication } from '../egg';

/**
 * Answers `<path>/live`, for as long as the process works, and `<path>/ready`: whether the worker takes new clients. To be called before the app adds
 * its own middleware, which may ask for a login.
 */
export function serveHealth(app: EggApplication, path: string, isReady: () => boolean): void {
  app.use(async (ctx, next) => {
    const isReadiness = ctx.path === `${path}/ready`;
    if (!(isReadiness || ctx.path === `${path}/live`) || !['GET', 'HEAD'].includes(ctx.method)) {
      await next();
      return;
    }
    const isUp = !isReadiness || isReady();
    ctx.status = isUp ? 200 : 503;
    ctx.type = 'json';
    ctx.set('Cache-Control', 'no-store');
    ctx.body = { status: isUp ? 'up' : 'draining' };
  });
}
