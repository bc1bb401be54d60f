/** A session without a login: its cookie is made by the app itself, with its keys, its encryption and its store. */
import { IncomingMessage, type ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { TestedApp } from './start';

interface SessionContext {
  session: (Record<string, unknown> & { manuallyCommit?(): Promise<void> }) | null;
  readonly res: Pick<ServerResponse, 'getHeader'>;
}

/** The header `cookie` of a client with these values in its session. */
export async function cookieOf(app: TestedApp, session: Readonly<Record<string, unknown>>): Promise<string> {
  const { env } = app.config;
  if (env !== 'unittest') throw new Error(`a session without a login is for tests: the env of the app is '${env}', not 'unittest'`);
  const socket = Object.assign(new Socket(), { encrypted: true }); // else an app whose cookies are for HTTPS only would make none
  const request = Object.assign(new IncomingMessage(socket), { headers: { host: '127.0.0.1' }, method: 'GET', url: '/' });
  const ctx = app.createAnonymousContext(request) as SessionContext;
  if (!('session' in ctx)) throw new Error('the app has no sessions: its plugin `session` is off');
  ctx.session = { ...session };
  if (!ctx.session.manuallyCommit) throw new Error('the sessions of this app cannot be made here: they have no manuallyCommit()');
  await ctx.session.manuallyCommit();
  const cookies = ctx.res.getHeader('set-cookie');
  return [cookies ?? []]
    .flat()
    .map(String)
    .map(line => line.split(';', 1)[0])
    .join('; ');
}
