/** An injected name that tegg does not know. tegg stops the boot with an error of its own, which does not say who injects it. */
import { type EggApplication } from '../egg';
import { SetupError } from '../errors';
import { injectedNames } from '../internals/tegg';
import { declarationsIn } from './declaration';

/** Logs the classes of the app, with decorators of ours, that inject the name, and the remedy. */
export function logUnknownInjection({ baseDir, logger }: EggApplication, { name, message }: Error): void {
  if (name !== 'EggPrototypeNotFound') return;
  for (const { Class, file } of declarationsIn(baseDir)) {
    const unknown = injectedNames(Class).find(injected => message.includes(`Object ${injected} not found`));
    if (unknown === undefined) continue;
    logger.error(
      new SetupError(
        'IO_TEGG_INJECT_UNKNOWN',
        `${Class.name} in ${file} injects '${unknown}', which tegg does not know; export a class of this name from a module, ` +
          'with accessLevel: AccessLevel.PUBLIC if it is another module, or correct the name',
      ).message,
    );
  }
}
