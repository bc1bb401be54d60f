/** The session of a connection if Egg keeps sessions in an external store. */
import type { EggContext, EggSession } from '../egg';
import { sessionInternals } from '../internals/egg';
import { storeError } from './error-answers';
import { change, changes, type Fields, fieldsOf } from './session-changes';

/** The options that a session's `save()`, `regenerate()` and `manuallyCommit()` pass to its `commit()`. */
interface CommitOptions {
  readonly save?: boolean;
  readonly regenerate?: boolean;
}

/** Runs the session plugin as for an HTTP request: it reads the store, calls the function and, with `autoCommit`, saves the changes. */
export type RunSession = (work: (ctx: EggContext) => Promise<void>) => Promise<EggContext>;

/** A session in an external store. HTTP requests and the user's other connections may write to it at the same time. */
export class StoredSession {
  #ctx: EggContext;
  readonly #run: RunSession;
  readonly #autoCommit: boolean;
  /** The content of the store, as last seen by this connection. Undefined if no cookie names a session. */
  #saved: Fields | undefined;
  /** The content of the store after all pending writes, so that packets which settle meanwhile do not save the same changes again. */
  #latest: Fields | undefined;
  /** Whether the session has been accessed; it cannot have changed otherwise. */
  #isTouched = false;
  /** Settles with the last write. Writes run one after the other, since each reads and writes the whole session. */
  #written: Promise<unknown> = Promise.resolve();

  /** @param autoCommit whether changes are saved automatically; otherwise the app calls `session.manuallyCommit()` */
  constructor(ctx: EggContext, run: RunSession, autoCommit: boolean) {
    this.#ctx = ctx;
    this.#run = run;
    this.#autoCommit = autoCommit;
    this.#saved = this.#latest = isStored(ctx.session) ? fieldsOf(ctx.session) : undefined;
  }

  get value(): EggSession | null | undefined {
    this.#isTouched = true;
    const { session } = this.#ctx;
    if (session && !Object.hasOwn(session, 'commit')) {
      this.#replaceCommit(session);
      addReload(session, () => this.#reload());
    }
    return session;
  }

  set value(session: EggSession | null | undefined) {
    this.#isTouched = true;
    this.#ctx.session = session ?? null;
  }

  get key(): string | undefined {
    return this.#saved && this.#ctx.session?.externalKey;
  }

  save(): Promise<void> | undefined {
    if (!this.#isTouched || !this.#latest || !this.#autoCommit) return undefined;
    const { session } = this.#ctx;
    if (session && !sessionInternals(session)._requireSave && changes(this.#latest, fieldsOf(session)).length === 0) return undefined;
    return this.#commit().catch((thrown: unknown) => {
      throw storeError(thrown);
    });
  }

  /**
   * Replaces the session's `commit()`, which its `save()` and `manuallyCommit()` call. The original would overwrite changes that others
   * have made meanwhile; the replacement writes only this connection's changes, like the save after a handler.
   */
  #replaceCommit(session: EggSession): void {
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
        committing.then(() => callback(), callback); // oxlint-disable-line no-callback-in-promise -- the signature of the session plugin
        return undefined;
      },
    });
  }

  /**
   * Writes only the changes of this connection. Does not restore a session that was removed meanwhile.
   * @param isForced whether to write even without changes, which extends the session's lifetime
   */
  async #commit(isForced = false): Promise<void> {
    const { session } = this.#ctx;
    const now = session ? fieldsOf(session) : undefined;
    const internals = session && sessionInternals(session);
    const isRequired = isForced || internals?._requireSave === true;
    this.#latest = now;
    if (internals) internals._requireSave = false;
    const write = async (): Promise<void> => {
      await this.#run(async ctx => {
        const stored = ctx.session;
        if (!this.#saved || !isStored(stored)) return this.#forget();
        if (now)
          change(stored, changes(this.#saved, now), isRequired); // includes changes of earlier writes that failed
        else ctx.session = null;
        if (!this.#autoCommit) await stored.manuallyCommit();
      });
      if (this.#saved) this.#saved = now;
    };
    try {
      await (this.#written = this.#written.then(write, write));
    } catch (error) {
      this.#latest = this.#saved; // the next save tries again
      if (internals && isRequired) internals._requireSave = true;
      throw error;
    }
  }

  /** Drops changes that have not been saved. A session that is not in the store any more is null then. */
  async #reload(): Promise<void> {
    const read = async (): Promise<void> => {
      if (!this.#saved) return; // no cookie names a session
      const ctx = await this.#run(async () => {});
      if (!isStored(ctx.session)) return this.#forget();
      this.#ctx = ctx;
      this.#saved = this.#latest = fieldsOf(ctx.session);
    };
    try {
      await (this.#written = this.#written.then(read, read));
    } catch (thrown) {
      throw storeError(thrown);
    }
  }

  #forget(): void {
    this.#ctx.session = null;
    this.#saved = this.#latest = undefined;
  }
}

/** Gives a session `reload()`, which does not appear among its values. */
export function addReload(session: EggSession, reload: () => Promise<void>): void {
  Object.defineProperty(session, 'reload', { configurable: true, writable: true, value: reload });
}

/** Whether the session is that of a cookie, and not a new one. */
function isStored(session: EggSession | null | undefined): session is EggSession {
  return session ? !session.isNew : false;
}
