/** Whether clients reach a running app by its public address: what proxies in front of it do to polling, WebSockets, upgrades and sessions. */
import type { InitOptions } from '../config/options';
import { oneLine } from '../errors';
import { toError } from '../thrown';
import type { Finding } from './finding';
import { type Answer, ask, openWebSocket, type Opened } from './http';

/** How many requests of a session are sent, each over a connection of its own. With two servers in turn, half of them go astray. */
const REQUESTS = 10;

/** A path at which nobody would run an app has a slash alone. */
const NO_PATH = '/';

const UPGRADE_REMEDY =
  'make the proxy pass on upgrades; for nginx: proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade";';
const HOST_REMEDY = 'make the proxy keep the Host header; for nginx: proxy_set_header Host $host; or list the site in config.io.init.cors';
const AFFINITY_REMEDY =
  'make the load balancer send all requests of a session to one server, or let clients use WebSockets alone: transports: ["websocket"]';

const ASK_APP = 'the app says why with DEBUG=egg-socket.io:refused';

/** Engine.IO's codes in the answer to a request that it refuses. */
const REFUSAL = { transport: 0, session: 1, badRequest: 3, forbidden: 4 } as const;

interface Session {
  readonly sid: string;
  /** Those of the handshake, whose Origin all requests of the session have to have. */
  readonly headers: Record<string, string>;
  /** What a client with a jar for cookies sends back. Empty if nothing was set. */
  readonly cookie: string;
  readonly upgrades: readonly string[];
}

/** @param address as clients have it. Its path, if it has one, takes the place of `init.path`. */
export async function* checkAddress(address: URL, init: Omit<InitOptions, 'adapter'>): AsyncGenerator<Finding> {
  const path = address.pathname === NO_PATH ? (init.path ?? '/socket.io') : address.pathname;
  const base = new URL(`${path.replace(/\/+$/, '')}/`, address);
  let polling: Handshake;
  try {
    polling = await beginPolling(base);
  } catch (thrown) {
    const text = `${withoutLogin(base)} cannot be reached: ${oneLine(toError(thrown).message)}`;
    yield { level: 'problem', text, remedy: 'check the address, its certificate, and that the app is running' };
    return;
  }
  yield polling.finding;
  if (polling.isElsewhere) return;
  const webSocket = await openWebSocket(at(base, 'websocket'), { origin: base.origin });
  const withoutOrigin = 'answer' in webSocket ? await openWebSocket(at(base, 'websocket'), {}) : webSocket;
  if (withoutOrigin !== webSocket && isOpen(withoutOrigin) && !polling.isAtOtherHost) yield otherHost(base);
  yield explainWebSocket(isOpen(withoutOrigin) ? withoutOrigin : webSocket, init);
  if (polling.session) yield* checkSession(base, polling.session);
}

interface Handshake {
  readonly finding: Finding;
  readonly session?: Session | undefined;
  /** Whether the app sees another Host than the client has sent. */
  readonly isAtOtherHost?: boolean;
  /** Whether there is no Socket.IO at this address. */
  readonly isElsewhere?: boolean;
}

/** As a page of the app's own site does. Rejects if there is no answer. */
async function beginPolling(base: URL): Promise<Handshake> {
  const origin = { origin: base.origin };
  const answer = await ask(at(base, 'polling'), origin);
  const session = sessionOf(answer, origin);
  if (session) return { session, finding: { level: 'ok', text: `polling: ${withoutLogin(base)} begins a session` } };
  const code = codeOf(answer);
  if (code === REFUSAL.transport) return { finding: { level: 'ok', text: 'polling: the app allows no polling' } };
  const text = `polling: ${withoutLogin(base)} answers ${statusOf(answer)}`;
  if (code !== undefined) {
    const session = code === REFUSAL.forbidden ? sessionOf(await ask(at(base, 'polling'), {}), {}) : undefined;
    if (session) return { session, isAtOtherHost: true, finding: otherHost(base) };
    return { finding: { level: 'problem', text, remedy: ASK_APP } };
  }
  return { isElsewhere: true, finding: { level: 'problem', ...elsewhere(answer, text) } };
}

function elsewhere({ status, headers: { location } }: Answer, text: string): { text: string; remedy: string } {
  if (location !== undefined)
    return { text: `${text} and leads to ${oneLine(location)}`, remedy: 'give the address that it leads to, and let clients use that one' };
  if (status === 502 || status === 504)
    return { text: `${text}: the proxy gets no answer of the app`, remedy: 'start the app, and check the upstream of the proxy' };
  if (status === 503 || status === 429) return { text: `${text}: the app or a proxy takes nobody in for now`, remedy: 'try again later' };
  const remedy = 'make the proxy pass this path on to the app, or give the path that clients use: --url https://example.com/path';
  return { text: `${text}, which is not of Socket.IO`, remedy };
}

function otherHost({ origin }: URL): Finding {
  const text = `a page of ${origin} is refused at its own site: the app sees another Host header than the client has sent`;
  return { level: 'problem', text, remedy: HOST_REMEDY };
}

function isOpen(webSocket: Opened): boolean {
  return 'message' in webSocket && webSocket.message.startsWith('0');
}

function explainWebSocket(webSocket: Opened, { transports = ['websocket'] }: Omit<InitOptions, 'adapter'>): Finding {
  if (isOpen(webSocket)) return { level: 'ok', text: 'WebSocket: upgrades are passed on' };
  if (!transports.includes('websocket')) return { level: 'ok', text: 'WebSocket: the app allows none' };
  if ('answer' in webSocket) {
    const { status, body } = webSocket.answer;
    const code = codeOf(webSocket.answer);
    const text = `WebSocket: the handshake is answered with ${statusOf(webSocket.answer)}`;
    if (code === REFUSAL.badRequest)
      return { level: 'problem', text: `${text}: a proxy does not pass the Upgrade header on`, remedy: UPGRADE_REMEDY };
    const isOfApp = code !== undefined || (status === 400 && !body.startsWith('<')); // Engine.IO refuses an upgrade with a plain text
    return { level: 'problem', text, remedy: isOfApp ? ASK_APP : UPGRADE_REMEDY };
  }
  const problem = 'error' in webSocket ? oneLine(webSocket.error.message) : 'its first message is not of Socket.IO';
  return { level: 'problem', text: `WebSocket: ${problem}`, remedy: UPGRADE_REMEDY };
}

async function* checkSession(base: URL, { sid, headers, cookie, upgrades }: Session): AsyncGenerator<Finding> {
  const ofBrowser = cookie === '' ? headers : { ...headers, cookie };
  const { astray, problem } = await sendRequests(base, sid, ofBrowser);
  if (problem !== undefined) yield { level: 'problem', text: `sessions: a request of a session is ${problem}`, remedy: ASK_APP };
  else if (astray > 0) {
    const text = `sessions: ${astray} of ${REQUESTS} requests of a session did not reach it: there are several servers without affinity`;
    yield { level: 'problem', text, remedy: AFFINITY_REMEDY };
  } else if (cookie !== '' && (await sendRequests(base, sid, headers)).astray > 0) {
    const names = cookie.split('; ').map(pair => pair.split('=')[0]);
    const text = `sessions: requests reach them by a cookie (${names.join(', ')}), which clients outside of browsers do not send back`;
    yield { level: 'look', text, remedy: 'let these clients use WebSockets alone: transports: ["websocket"]' };
  } else yield { level: 'ok', text: `sessions: ${REQUESTS} requests of a session have reached it` };
  if (problem === undefined && astray === 0 && upgrades.includes('websocket')) {
    const probe = await openWebSocket(at(base, 'websocket', sid), ofBrowser, '2probe');
    if ('message' in probe && probe.message === '3probe') yield { level: 'ok', text: 'upgrade: a session goes on by WebSocket' };
    else yield { level: 'problem', text: 'upgrade: a session that polls cannot go on by WebSocket', remedy: UPGRADE_REMEDY };
  }
  await ask(at(base, 'polling', sid), ofBrowser, '1').catch(() => undefined); // ends it
}

/** Sends pongs, which change nothing. Returns how many came to a server that does not know the session, and what else went wrong. */
async function sendRequests(base: URL, sid: string, headers: Record<string, string>): Promise<{ astray: number; problem?: string }> {
  let astray = 0;
  for (let request = 0; request < REQUESTS; request++) {
    try {
      const answer = await ask(at(base, 'polling', sid), headers, '3');
      if (answer.status === 200) continue;
      if (codeOf(answer) !== REFUSAL.session) return { astray, problem: `answered with ${statusOf(answer)}` };
      astray++;
    } catch (thrown) {
      return { astray, problem: `not answered: ${oneLine(toError(thrown).message)}` };
    }
  }
  return { astray };
}

/** The address may have a password for the proxy. */
function withoutLogin({ origin, pathname }: URL): string {
  return origin + pathname;
}

/** The status of HTTP, and the code of Engine.IO if there is one. */
function statusOf(answer: Answer): string {
  const code = codeOf(answer);
  return code === undefined ? String(answer.status) : `${answer.status} and code ${code}`;
}

function at(base: URL, transport: 'polling' | 'websocket', sid?: string): URL {
  const url = new URL(base);
  url.search = new URLSearchParams({ EIO: '4', transport, ...(sid !== undefined && { sid }) }).toString();
  return url;
}

/** Undefined if the answer begins no session. */
function sessionOf({ status, body, headers: answered }: Answer, headers: Record<string, string>): Session | undefined {
  if (status !== 200 || !body.startsWith('0{')) return undefined;
  const { sid, upgrades } = (parse(body.slice(1)) ?? {}) as { sid?: unknown; upgrades?: unknown };
  if (typeof sid !== 'string' || !Array.isArray(upgrades)) return undefined;
  const cookie = (answered['set-cookie'] ?? []).map(text => text.split(';')[0]).join('; ');
  return { sid, headers, upgrades: upgrades.map(String), cookie };
}

/** The code of Engine.IO's refusal. Undefined if the answer is none. */
function codeOf({ body }: Answer): number | undefined {
  const { code } = (parse(body) ?? {}) as { code?: unknown };
  return typeof code === 'number' ? code : undefined;
}

function parse(text: string): object | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}
