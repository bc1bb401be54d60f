/** The pages of this plugin for people. Each is loaded only if the config has it. */
import type { Server as EngineServer } from 'engine.io';
import { topologyOf } from '../cluster/topology';
import type { Settings } from '../config/settings';
import type { EggApplication } from '../egg';
import type { Handshakes } from '../handshake/handshakes';
import type { Runtime } from '../path/runtime';
import type { Namespaces } from './namespaces';
import type { Server } from './server';

interface Parts {
  readonly server: Server;
  readonly runtime: Runtime;
  readonly namespaces: Namespaces;
}

interface Requests {
  readonly handshakes: Handshakes;
  /** One for each HTTP server, once there is one. */
  readonly engines: readonly EngineServer[];
}

/** To be called when the app has added its own middleware. */
export async function servePages(app: EggApplication, settings: Settings, parts: Parts, { handshakes, engines }: Requests): Promise<void> {
  const { server, runtime, namespaces } = parts;
  const { admin, documents } = settings;
  if (documents !== false) {
    const { serveDocuments } = await import('../documents/serve.js');
    serveDocuments(app, documents, () => namespaces.contracts);
  }
  if (admin) {
    const { serveAdmin } = await import('../admin/serve.js');
    const hasOthers = settings.adapter !== undefined || topologyOf(app.options, settings).usesHub;
    serveAdmin(app, admin, { server, runtime, handshakes, engines, hasOthers });
  }
}
