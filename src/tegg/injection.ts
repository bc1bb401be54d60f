/** Namespaces that classes of tegg inject by `@IoNamespace`: a provider for each, beside what tegg injects of the app itself. */
import type { Contract } from '../contract/contract';
import { APP_UNIT, type Class, type EggProto, type LoadUnit, markProvider, type TeggApplication } from '../internals/tegg';
import { lineageOf } from './declaration';

export class Injection {
  readonly #tegg: TeggApplication;
  readonly #of: (source: string | Contract) => unknown;
  /** By the name of their object. */
  readonly #sources = new Map<string, string | Contract>();
  #app: LoadUnit | undefined;
  readonly #hook: Parameters<TeggApplication['loadUnitLifecycleUtil']['registerLifecycle']>[0];

  constructor(tegg: TeggApplication, of: (source: string | Contract) => unknown) {
    this.#tegg = tegg;
    this.#of = of;
    // the app's own unit comes first; the providers have to be there before the classes that inject them
    this.#hook = {
      preCreate: async ({ loader }, unit) => {
        if (unit.type === APP_UNIT) this.#app = unit;
        else for (const Class of (await loader.load()) as Class[]) await this.#provide(Class); // what all of tegg's loaders return
      },
    };
    tegg.loadUnitLifecycleUtil.registerLifecycle(this.#hook);
  }

  /** Creates the namespaces, and gives them their contracts. To be called before the app has started. */
  open(): void {
    for (const source of this.#sources.values()) this.#of(source);
  }

  close(): void {
    this.#tegg.loadUnitLifecycleUtil.deleteLifecycle(this.#hook);
  }

  async #provide(Class: Class): Promise<void> {
    for (const [name, source] of lineageOf(Class).flatMap(({ injected }) => [...injected])) {
      if (this.#sources.has(name) || !this.#app) continue;
      this.#sources.set(name, source);
      const provide = (): unknown => this.#of(source);
      markProvider(provide, name);
      const protos = (await this.#tegg.eggPrototypeCreatorFactory.createProto(provide, this.#app)) as EggProto[]; // a list in all versions
      for (const proto of protos) this.#tegg.eggPrototypeFactory.registerPrototype(proto, this.#app);
    }
  }
}
