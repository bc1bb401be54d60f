import { createRequire } from 'node:module';
import { NestFactory } from '@nestjs/core';
import { IoAdapter } from '@nestjs/platform-socket.io';
import { serve } from '../../serve.mjs';
import { AppModule } from './dist/app.js';

const require = createRequire(import.meta.url);

const app = await NestFactory.create(AppModule, { logger: ['error', 'warn'] });
app.useWebSocketAdapter(new IoAdapter(app));
await app.listen(0, '127.0.0.1');
await serve(app.getHttpServer(), { '@nestjs/core': require('@nestjs/core/package.json').version });
