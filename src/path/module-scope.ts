/**
 * tegg's objects for packets and connections: `ctx.getEggObject()`, `app.getEggObject()` and injected objects.
 * tegg's own scope creates an object of every class for each context up front. This scope begins with the first object that is
 * requested and creates no others, so that a packet without such requests costs nothing.
 */
import type { EggApplication } from '../egg';
import { type BackgroundTask, EGG_CONTEXT, type TeggContext, teggOf } from '../internals/egg';
import { ownLogger } from '../own-logger';

/** Ends the scope of a context when its packet or connection has settled. Absent without tegg. */
export const SETTLE = Symbol('settle');

const SCOPE = Symbol('moduleScope');

interface ModuleScope extends TeggContext {
  hold(): void;
  release(): void;
}

/** The part of a context that is used here. */
interface Scoped {
  /** Undefined before the first object is requested, null after the end. */
  [SCOPE]?: ModuleScope | null;
}

/** Adds scopes to the contexts of an app with tegg. To be called when all plugins have been loaded. */
export function addModuleScope(prototype: object, app: EggApplication): void {
  const ModuleScope = createModuleScopeClass(app);
  if (!ModuleScope) return;
  const runInBackground: unknown = Reflect.get(app.context, 'runInBackground');
  const scopeOf = (ctx: Scoped): ModuleScope | null => (ctx[SCOPE] === undefined ? (ctx[SCOPE] = new ModuleScope(ctx)) : ctx[SCOPE]);
  const members: PropertyDescriptorMap & ThisType<Scoped> = {
    /** Read by tegg. Undefined after the end of the scope; tegg still finds singletons then. */
    teggContext: {
      configurable: true,
      get() {
        return scopeOf(this) ?? undefined;
      },
    },
    /** Does nothing but call back: the scope begins by itself. */
    beginModuleScope: {
      configurable: true,
      writable: true,
      async value(work: () => Promise<unknown>) {
        await work();
      },
    },
    /** Keeps the objects until the task has ended, as over HTTP. */
    runInBackground: {
      configurable: true,
      writable: true,
      value(task: BackgroundTask) {
        const scope = scopeOf(this);
        scope?.hold();
        const held: BackgroundTask = async ctx => {
          try {
            await task(ctx);
          } finally {
            scope?.release();
          }
        };
        const name = task._name ?? task.name; // for Egg's log
        if (name) held._name = name;
        if (typeof runInBackground === 'function') Reflect.apply(runInBackground, this, [held]);
      },
    },
    [SETTLE]: {
      value() {
        if (this[SCOPE]) this[SCOPE].release();
        else this[SCOPE] = null;
      },
    },
  };
  Object.defineProperties(prototype, members);
}

function createModuleScopeClass(app: EggApplication): (new (ctx: Scoped) => ModuleScope) | undefined {
  const tegg = teggOf(app);
  if (!tegg) return undefined;
  const { abstractEggContext: Base, identicalUtil: ids } = tegg;
  const newId = (): string => ids.createContextId();
  return class extends Base implements ModuleScope {
    readonly id = newId();
    readonly #ctx: Scoped;
    #hasBegun = false;
    /** The number of users: the packet itself, and its background tasks. */
    #holders = 1;

    constructor(ctx: Scoped) {
      super();
      this.#ctx = ctx;
      this.set(EGG_CONTEXT, ctx);
    }

    /** tegg registers every class here, to create its object up front. Ignored: objects are created on request. */
    override addProtoToCreate(): void {}

    override async getOrCreateEggObject(name: PropertyKey, proto: object): Promise<unknown> {
      if (!this.#hasBegun) {
        this.#hasBegun = true; // before init(), whose hooks may request objects themselves
        await this.init({});
      }
      return super.getOrCreateEggObject(name, proto);
    }

    hold(): void {
      this.#holders++;
    }

    release(): void {
      this.#holders--;
      if (this.#holders > 0) return;
      this.#ctx[SCOPE] = null;
      if (this.#hasBegun)
        this.destroy({}).catch((error: unknown) => ownLogger(app).error('[egg-socket.io] destroying tegg objects failed:', error));
    }
  };
}
