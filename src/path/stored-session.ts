/** The session of a connection where Egg keeps sessions in an external store. */
import type { EggContext, EggSession } from '../egg';
import { storeError } from './error-answers';
import { change, changes, type Fields, fieldsOf } from './session-changes';

/** What `save()`, `regenerate()` and `manuallyCommit()` of a session give to its `commit()`. */
interface CommitOptions {
  readonly save?: boolean;
  readonly regenerate?: boolean;
}

/** Runs the session plugin as for an HTTP request: it reads the store before the work and, with `autoCommit`, saves after it what has changed. */
export type RunSession = (work: (ctx: EggContext) => Promise<void>) => Promise<EggContext>;

/** A session that is in an external store. Others may write to it meanwhile: HTTP requests, or the user's other connections. */
export class StoredSession {
  readonly #ctx: EggContext;
  readonly #run: RunSession;
  readonly #autoCommit: boolean;
  /** What the store has, as far as this connection knows. Undefined where no cookie names a session. */
  #saved: Fields | undefined;
  /** What it will have when all that is being written has been: packets that settle meanwhile need not save the same again. */
  #latest: Fields | undefined;
  /** Whether anyone has had the session in hand: only then can it have changed. */
  #isTouched = false;
  /** Settles with the last write: one begins when the one before it has ended, since each reads the whole session and writes it. */
  #written: Promise<unknown> = Promise.resolve();

  /** @param autoCommit whether the app has left it to the plugin to save, rather than calling `session.manuallyCommit()` */
  constructor(ctx: EggContext, run: RunSession, autoCommit: boolean) {
    this.#ctx = ctx;
    this.#run = run;
    this.#autoCommit = autoCommit;
    this.#saved = this.#latest = isStored(ctx.session) ? fieldsOf(ctx.session) : undefined;
  }

  get value(): EggSession | null | undefined {
    this.#isTouched = true;
    const { session } = this.#ctx;
    if (session && !Object.hasOwn(session, 'commit')) this.#takeCommit(session);
    return session;
  }

  set value(session: EggSession | null | undefined) {
    this.#isTouched = true;
    this.#ctx.session = session ?? null;
  }

  save(): Promise<void> | undefined {
    if (!this.#isTouched || !this.#latest || !this.#autoCommit) return undefined;
    const { session } = this.#ctx;
    if (session && !session._requireSave && changes(this.#latest, fieldsOf(session)).length === 0) return undefined;
    return this.#commit().catch((thrown: unknown) => {
      throw storeError(thrown);
    });
  }

  /**
   * `save()` and `manuallyCommit()` of a session call its `commit()`, which would write all that this connection has
   * over what others have written meanwhile. This one does what the plugin does when a handler has finished.
   */
  #takeCommit(session: EggSession): void {
    const commit = async (options?: CommitOptions): Promise<void> => {
      if (options?.regenerate)
        throw new Error('session.regenerate() needs a new cookie, which a socket cannot send: call it in an HTTP request');
      if (this.#latest) await this.#commit(options?.save);
    };
    Object.defineProperty(session, 'commit', {
      configurable: true,
      writable: true,
      value(options?: CommitOptions, callback?: (error?: unknown) => void): Promise<void> | undefined {
        const committing = commit(options);
        if (!callback) return committing;
        committing.then(() => callback(), callback); // oxlint-disable-line no-callback-in-promise -- as the plugin calls it
        return undefined;
      },
    });
  }

  /**
   * Writes what this connection has changed, and nothing else. A session that has been removed by others is not brought back.
   * @param isForced whether to write even where nothing has changed, which makes the session live longer
   */
  async #commit(isForced = false): Promise<void> {
    const { session } = this.#ctx;
    const now = session ? fieldsOf(session) : undefined;
    const isRequired = isForced || session?._requireSave === true;
    this.#latest = now;
    if (session) session._requireSave = false;
    const write = async (): Promise<void> => {
      await this.#run(async ctx => {
        const stored = ctx.session;
        if (!this.#saved || !isStored(stored)) return this.#forget();
        if (now)
          change(stored, changes(this.#saved, now), isRequired); // with what earlier writes have failed to store
        else ctx.session = null;
        if (!this.#autoCommit) await stored.manuallyCommit();
      });
      if (this.#saved) this.#saved = now;
    };
    try {
      await (this.#written = this.#written.then(write, write));
    } catch (error) {
      this.#latest = this.#saved; // so that it is tried again
      if (session && isRequired) session._requireSave = true;
      throw error;
    }
  }

  #forget(): void {
    this.#ctx.session = null;
    this.#saved = this.#latest = undefined;
  }
}

/** Whether it is one that a cookie names, rather than one made for want of it. */
function isStored(session: EggSession | null | undefined): session is EggSession {
  return session ? !session.isNew : false;
}
