/** A logger for the lines of this plugin. */
import type { EggApplication, Logger } from './egg';

/**
 * Writes outside of any context. Within one, Egg's loggers add the URL of the request to each line, whoever writes it: for an event that is
 * the URL of the handshake, whose query may have a token.
 */
export function ownLogger({ logger, ctxStorage }: Pick<EggApplication, 'logger' | 'ctxStorage'>): Logger {
  const writeAt =
    (level: keyof Logger) =>
    (message: string, ...args: unknown[]): void =>
      ctxStorage.run(undefined, () => logger[level](message, ...args));
  return { info: writeAt('info'), warn: writeAt('warn'), error: writeAt('error') };
}
