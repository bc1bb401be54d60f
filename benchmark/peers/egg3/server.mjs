import { serveApp } from '../../app/serve.mjs';

await serveApp(import.meta.url);
