/**
 * `ctx.service` at the cost of one object. Egg defines the getters of all services for every context again;
 * here all contexts of an app share one set of getters. Each context still has its own instances.
 */
import { type EggApplication, isClass } from '../egg';
import { type ServicesInternals, servicesOf } from '../internals/egg';

type ServicesClass = new (ctx: object) => ServicesInternals;
type ServiceClass = new (ctx: object) => object;

/** The class of an app's `ctx.service`. Undefined if Egg's own differs from that of the tested versions. */
export function createServicesClass(app: EggApplication): ServicesClass | undefined {
  const eggs = servicesOf(app.createAnonymousContext(), line => app.logger.warn(line));
  if (!eggs) return undefined;
  class SharedServices implements ServicesInternals {
    readonly _ctx: object;
    readonly _cache = new Map<string, unknown>();

    constructor(ctx: object) {
      this._ctx = ctx;
    }
  }
  Object.setPrototypeOf(SharedServices.prototype, eggs);
  const classes = app.serviceClasses ?? {};
  for (const name of Object.keys(classes)) {
    if (isClass(classes[name])) Object.defineProperty(SharedServices.prototype, name, serviceOf(name, classes)); // folders keep Egg's getters
  }
  return SharedServices;
}

/** Like Egg's getter, which checks on each access whether the service is a class. */
function serviceOf(name: string, classes: Record<string, unknown>): PropertyDescriptor & ThisType<ServicesInternals> {
  return {
    get() {
      let service = this._cache.get(name);
      if (!service) {
        const Service = classes[name] as ServiceClass; // checked at boot; a test's replacement is a class too
        this._cache.set(name, (service = new Service(this._ctx)));
      }
      return service;
    },
  };
}
