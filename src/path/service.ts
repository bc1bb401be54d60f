/**
 * `ctx.service` at the cost of one object. Egg defines the getters of all services anew for every context;
 * here all contexts of an app share those of one. The instances are each context's own, as ever.
 */
import { type EggApplication, isClass } from '../egg';

/** Egg's getters work on these two fields. */
interface Services {
  readonly _ctx: object;
  readonly _cache: Map<string, unknown>;
}

type ServicesClass = new (ctx: object) => Services;
type ServiceClass = new (ctx: object) => object;

/** The class of an app's `ctx.service`. Undefined where Egg's own works in another way than in the versions known here. */
export function createServicesClass(app: EggApplication): ServicesClass | undefined {
  const eggs: unknown = Reflect.get(app.createAnonymousContext(), 'service');
  if (!isServices(eggs)) return undefined;
  class SharedServices implements Services {
    readonly _ctx: object;
    readonly _cache = new Map<string, unknown>();

    constructor(ctx: object) {
      this._ctx = ctx;
    }
  }
  Object.setPrototypeOf(SharedServices.prototype, eggs);
  const classes = app.serviceClasses ?? {};
  for (const name of Object.keys(classes)) {
    if (isClass(classes[name])) Object.defineProperty(SharedServices.prototype, name, serviceOf(name, classes)); // folders and all else stay Egg's
  }
  return SharedServices;
}

/** As Egg's own getter, which asks each time whether it is a class. */
function serviceOf(name: string, classes: Record<string, unknown>): PropertyDescriptor & ThisType<Services> {
  return {
    get() {
      let service = this._cache.get(name);
      if (!service) {
        const Service = classes[name] as ServiceClass; // it was one at boot; what a test puts in its place is one as well
        this._cache.set(name, (service = new Service(this._ctx)));
      }
      return service;
    },
  };
}

function isServices(value: unknown): value is Services {
  return typeof value === 'object' && value !== null && '_ctx' in value && '_cache' in value && value._cache instanceof Map;
}
