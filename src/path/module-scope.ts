/**
 * tegg's objects in a packet, and around a connection: `ctx.getEggObject()`, `app.getEggObject()`, what these inject.
 * tegg's own scope makes an object of every class for each context before anything runs. This one begins when an object
 * is first asked for and makes no other: a packet that asks for none costs nothing.
 */
import type { EggApplication, TeggContext } from '../egg';

/** Ends what a context has opened: its packet has settled, or its connection has. Absent where there is no tegg. */
export const SETTLE = Symbol('settle');

const SCOPE = Symbol('moduleScope');
/** The key of tegg under which its context knows Egg's. */
const EGG_CONTEXT = Symbol.for('context#eggContext');

interface ModuleScope extends TeggContext {
  hold(): void;
  release(): void;
}

/** A context, as far as it is touched here. */
interface Scoped {
  /** Undefined before anything was asked for, null when it has ended. */
  [SCOPE]?: ModuleScope | null;
}

type Task = ((ctx: unknown) => Promise<unknown>) & { _name?: string };

/** Gives the contexts of an app their scopes, where it has tegg. To be called when all plugins have been loaded. */
export function addModuleScope(prototype: object, app: EggApplication): void {
  const ModuleScope = createModuleScopeClass(app);
  if (!ModuleScope) return;
  const runInBackground: unknown = Reflect.get(app.context, 'runInBackground');
  const scopeOf = (ctx: Scoped): ModuleScope | null => (ctx[SCOPE] === undefined ? (ctx[SCOPE] = new ModuleScope(ctx)) : ctx[SCOPE]);
  const members: PropertyDescriptorMap & ThisType<Scoped> = {
    /** What tegg looks up. Undefined when the scope has ended: singletons are still found then. */
    teggContext: {
      configurable: true,
      get() {
        return scopeOf(this) ?? undefined;
      },
    },
    /** The scope is there already. */
    beginModuleScope: {
      configurable: true,
      writable: true,
      async value(work: () => Promise<unknown>) {
        await work();
      },
    },
    /** The objects stay until the task has ended, as over HTTP. */
    runInBackground: {
      configurable: true,
      writable: true,
      value(task: Task) {
        const scope = scopeOf(this);
        scope?.hold();
        const held: Task = async ctx => {
          try {
            await task(ctx);
          } finally {
            scope?.release();
          }
        };
        const name = task._name ?? task.name; // Egg shows it in its log
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
  const { abstractEggContext: Base, identicalUtil: ids } = app;
  if (!Base || !ids) return undefined;
  const newId = (): string => ids.createContextId();
  return class extends Base implements ModuleScope {
    readonly id = newId();
    readonly #ctx: Scoped;
    #hasBegun = false;
    /** The packet, and the tasks in the background. */
    #holders = 1;

    constructor(ctx: Scoped) {
      super();
      this.#ctx = ctx;
      this.set(EGG_CONTEXT, ctx);
    }

    /** tegg names all classes here: none is made before it is asked for. */
    override addProtoToCreate(): void {}

    override async getOrCreateEggObject(name: PropertyKey, proto: object): Promise<unknown> {
      if (!this.#hasBegun) {
        this.#hasBegun = true; // first: what runs when a scope begins may ask for objects itself
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
        this.destroy({}).catch((error: unknown) => app.logger.error('[egg-socket.io] tegg objects could not be ended:', error));
    }
  };
}
