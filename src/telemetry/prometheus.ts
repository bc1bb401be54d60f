/** The agent's page for Prometheus, with the metrics of all workers of this machine: `config.io.prometheus`. */
import { createServer, type ServerResponse } from 'node:http';
import type { PrometheusSettings } from '../config/prometheus';
import type { EggAgent, Logger } from '../egg';
import { messageOf } from '../errors';
import { CONTENT_TYPE, prometheusText } from './prometheus-text';
import { Scrape } from './scrape';

const PATH = '/metrics';

/** Time in ms after which a port is tried again that somebody else has, such as an earlier start of this app that is about to end. */
const RETRY_DELAY = 1000;

export class PrometheusPage {
  readonly #server = createServer((request, response) => {
    const isWanted = request.method === 'GET' && request.url?.split('?')[0] === PATH;
    if (isWanted) void this.#answer(response);
    else response.writeHead(404).end();
  });
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
    let hasLogged = false;
    await new Promise<void>(resolve => {
      this.#server.on('error', error => {
        const problem = `no metrics for Prometheus at ${host}:${port}: another process may have the port; tried again every second`;
        if (!hasLogged) this.#logger.error(messageOf('IO_PROMETHEUS_PORT', problem), error);
        hasLogged = true;
        this.#timer = setTimeout(() => this.#server.listen(port, host), RETRY_DELAY).unref();
        resolve();
      });
      this.#server.on('listening', () => {
        this.#logger.info('[egg-socket.io] metrics for Prometheus at http://%s:%d%s', host, port, PATH);
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

  async #answer(response: ServerResponse): Promise<void> {
    const { reports, silent } = await this.#scrape.ask();
    response.writeHead(200, { 'Content-Type': CONTENT_TYPE }).end(prometheusText(reports, silent));
  }
}
