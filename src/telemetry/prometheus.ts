/** The agent's page for Prometheus, with the metrics of all workers of this machine: `config.io.prometheus`. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { PrometheusSettings } from '../config/prometheus';
import type { EggAgent, Logger } from '../egg';
import { messageOf } from '../errors';
import { CONTENT_TYPE, prometheusText } from './prometheus-text';
import { Scrape } from './scrape';

const PATH = '/metrics';

/** Time in ms after which a port is tried again that somebody else has, such as an earlier start of this app that is about to end. */
const RETRY_DELAY = 1000;

/** The names of this machine for itself, as in a URL or not. */
const LOOPBACK = /^(?:localhost|127(?:\.\d+){3}|::1|\[::1\])$/i;

export class PrometheusPage {
  readonly #server = createServer((request, response) => void this.#receive(request, response));
  readonly #settings: PrometheusSettings;
  readonly #logger: Logger;
  readonly #scrape: Scrape;
  #timer: NodeJS.Timeout | undefined;

  constructor({ messenger, logger, options }: EggAgent, settings: PrometheusSettings) {
    this.#settings = settings;
    this.#logger = logger;
    this.#scrape = new Scrape(messenger, options.workers ?? 1);
  }

  /** Resolves when the page is there, or when its port cannot be had for now: the app starts without it. */
  async listen(): Promise<void> {
    const { host, port } = this.#settings;
    const at = `${host.includes(':') ? `[${host}]` : host}:${port}`;
    let hasLogged = false;
    await new Promise<void>(resolve => {
      this.#server.on('error', (error: NodeJS.ErrnoException) => {
        if (this.#server.listening) return; // a connection that could not be accepted
        const cause = error.code === 'EADDRINUSE' ? 'another process has the port' : error.message;
        const problem = `no metrics for Prometheus at ${at}: ${cause}; tried again every second`;
        if (!hasLogged) this.#logger.error(messageOf('IO_PROMETHEUS_PORT', problem), error);
        hasLogged = true;
        this.#timer = setTimeout(() => this.#server.listen(port, host), RETRY_DELAY).unref();
        resolve();
      });
      this.#server.on('listening', () => {
        this.#logger.info('[egg-socket.io] metrics for Prometheus at http://%s%s', at, PATH);
        resolve();
      });
      this.#server.listen(port, host);
    });
  }

  async close(): Promise<void> {
    clearTimeout(this.#timer);
    if (!this.#server.listening) return;
    await new Promise(resolve => {
      this.#server.close(resolve);
      this.#server.closeAllConnections();
    });
  }

  async #receive({ method, url, headers }: IncomingMessage, response: ServerResponse): Promise<void> {
    if (!this.#isKnown(headers.host)) response.writeHead(403).end();
    else if (method !== 'GET' || url?.split('?')[0] !== PATH) response.writeHead(404).end();
    else {
      const { reports, silent } = await this.#scrape.ask();
      response.writeHead(200, { 'Content-Type': CONTENT_TYPE }).end(prometheusText(reports, silent));
    }
  }

  /** Whether a page for this machine alone is asked for under a name of it: a browser here may believe that another site's name leads to it. */
  #isKnown(host = 'localhost'): boolean {
    return !LOOPBACK.test(this.#settings.host) || LOOPBACK.test(host.replace(/:\d+$/, ''));
  }
}
