/** Shows the contracts over HTTP, for development: as a page, and as an AsyncAPI document. */
import type { Contract } from '../contract/contract';
import type { EggApplication } from '../egg';
import { toError } from '../thrown';
import { toAsyncApi } from './asyncapi';
import { describe } from './description';
import { toErrorPage, toPage } from './page';
import { json } from './reference';

/** The page has neither scripts nor anything from elsewhere. */
const POLICY = "default-src 'none'; style-src 'unsafe-inline'";

/**
 * Answers requests for a path, and for the same with `.json`, that nothing else in the app has answered.
 *
 * @param contracts those of the app by the time of a request; without any, nothing is shown
 */
export function serveDocuments(app: EggApplication, path: string, contracts: () => readonly Contract[]): void {
  const jsonPath = `${path}.json`;
  app.ready(() => {
    if (contracts().length > 0) void announce();
  });
  async function announce(): Promise<void> {
    try {
      await describe(contracts(), app.baseDir);
      app.logger.info(`[egg-socket.io] ${path} shows the contracts, and ${jsonPath} is their AsyncAPI document`);
    } catch (error) {
      app.logger.warn(`[egg-socket.io] ${path} cannot show the contracts: ${toError(error).message}`); // with the remedy
    }
  }
  app.use(async (ctx, next) => {
    await next();
    const isJson = ctx.path === jsonPath;
    if (ctx.status !== 404 || (ctx.body ?? undefined) !== undefined || !(isJson || ctx.path === path)) return;
    if (!['GET', 'HEAD'].includes(ctx.method) || contracts().length === 0) return;
    try {
      const description = await describe(contracts(), app.baseDir);
      ctx.body = isJson ? json(toAsyncApi(description)) : toPage(description, jsonPath);
    } catch (error) {
      const { message } = toError(error); // with the remedy
      ctx.body = isJson ? json({ message }) : toErrorPage(message);
      ctx.status = 500;
    }
    ctx.type = isJson ? 'json' : 'html';
    ctx.set('Content-Security-Policy', POLICY);
  });
}
