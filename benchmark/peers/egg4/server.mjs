import { serveApp } from '../../egg.mjs';

await serveApp(import.meta.url);
