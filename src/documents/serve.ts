/** Shows the contracts over HTTP, for development: as a page, and as an AsyncAPI document. */
import type { Contract } from '../contract/contract';
import type { EggApplication } from '../egg';
import { toError } from '../thrown';
import { toAsyncApi } from './asyncapi';
import { describe, type Description } from './description';
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
  // made once for the contracts that there are: schemas of the app may ask its database
  let made: { readonly count: number; readonly description: Promise<Description> } | undefined;
  const described = (): Promise<Description> => {
    const all = contracts();
    if (made?.count !== all.length) made = { count: all.length, description: describe(all, app.baseDir) };
    return made.description;
  };
  app.ready(() => {
    if (contracts().length > 0) void announce();
  });
  async function announce(): Promise<void> {
    try {
      await described();
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
      const description = await described();
      ctx.body = isJson ? json(toAsyncApi(description)) : toPage(description, jsonPath.slice(jsonPath.lastIndexOf('/') + 1));
    } catch (error) {
      const { message } = toError(error); // with the remedy
      ctx.body = isJson ? json({ message }) : toErrorPage(message);
      ctx.status = 500;
    }
    ctx.type = isJson ? 'json' : 'html';
    if (ctx.securityOptions) ctx.securityOptions.csp = { enable: false }; // that of the app, which would replace this one
    ctx.set('Content-Security-Policy', POLICY);
  });
}
