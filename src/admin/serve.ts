/** Serves the admin page: `config.io.admin`. Each request may reach any worker, which asks all processes. */
import type { Server as EngineServer } from 'engine.io';
import type { Server } from 'socket.io';
import type { AdminSettings } from '../config/admin';
import type { EggApplication, HttpContext } from '../egg';
import { oneLine } from '../errors';
import type { Handshakes } from '../handshake/handshakes';
import type { Runtime } from '../path/runtime';
import { toError } from '../thrown';
import { act, answerAction } from './actions';
import { refusalOf } from './guard';
import { merge } from './merge';
import { Observer } from './observer';
import { PAGE_POLICY, pageOf } from './page';
import { Processes } from './processes';
import { type Question, readView, textOf } from './question';
import { type Report, reportOn } from './report';

const PATH = '/-/io';

const HEADERS = {
  'Content-Security-Policy': PAGE_POLICY,
  'Cache-Control': 'no-store',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
};

interface Parts {
  readonly server: Server;
  readonly runtime: Runtime;
  readonly handshakes: Pick<Handshakes, 'addressOf' | 'isAllowedHost' | 'refused'>;
  /** One for each HTTP server, once there is one. */
  readonly engines: readonly EngineServer[];
  /** Whether there may be other workers or servers. */
  readonly hasOthers: boolean;
}

/** To be called when the app has added its own middleware. */
export function serveAdmin(app: EggApplication, settings: AdminSettings, { server, runtime, handshakes, engines, hasOthers }: Parts): void {
  const { addressOf, isAllowedHost, refused } = handshakes;
  const sources = { server, engines, addressOf, observer: new Observer(runtime) };
  const processes = new Processes(server.of('/'), hasOthers, (question: Question) => {
    if (question.kind === 'view') return reportOn(question, sources);
    if (question.kind === 'namespace') return server._nsps.has(question.namespace) ? {} : undefined;
    return answerAction(question, server);
  });

  const answers: Readonly<Record<string, (ctx: HttpContext) => void | Promise<void>>> = {
    [`GET ${PATH}`]: ctx => {
      ctx.type = 'html';
      ctx.body = pageOf(app.config.name, { name: app.config.security?.csrf?.headerName ?? 'x-csrf-token', value: ctx.csrf ?? '' });
    },
    [`GET ${PATH}/state`]: async ctx => {
      const view = readView(textOf(ctx.query['namespace']) ?? '/', ctx.query);
      const { answers, problem } = await processes.ask(view);
      ctx.body = merge(answers as readonly Report[], problem); // of reportOn, in processes of this app
    },
    [`POST ${PATH}/act`]: async ctx => {
      try {
        const done = await act(ctx.request.body, server, processes);
        runtime.logger.info('[egg-socket.io] admin page: %s has %s', oneLine(ctx.ip), oneLine(done));
        ctx.body = { done };
      } catch (thrown) {
        ctx.body = { problem: toError(thrown).message };
        ctx.status = 400;
      }
    },
  };

  app.use(async (ctx, next) => {
    await next();
    const answer = answers[`${ctx.method === 'HEAD' ? 'GET' : ctx.method} ${ctx.path}`];
    if (!answer || ctx.status !== 404 || (ctx.body ?? undefined) !== undefined) return;
    if (ctx.securityOptions) ctx.securityOptions.csp = { enable: false }; // that of the app, which would replace this one
    for (const [name, value] of Object.entries(HEADERS)) ctx.set(name, value);
    if (isAllowedHost(ctx.req)) {
      const refusal = await refusalOf(ctx, settings, app.config);
      if (refusal === undefined) return answer(ctx);
      refused.warnOfPage(PATH, refusal);
    }
    ctx.status = 403;
    ctx.type = 'text';
    ctx.body = 'Forbidden. The log of the server says why.';
  });

  runtime.logger.info('[egg-socket.io] %s is the admin page, for %s', PATH, settings.allow ? 'whom the app allows' : 'this machine');
}
