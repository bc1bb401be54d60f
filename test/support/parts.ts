/** Parts of the plugin that apps do not import. */
import { join } from 'node:path';
import type * as adapter from '../../dist/adapter';
import type * as config from '../../dist/config';
import type * as deprecations from '../../dist/deprecations';
import type * as failures from '../../dist/failures';
import type * as hub from '../../dist/hub';
import type * as hubFrames from '../../dist/hub-frames';
import type * as hubLink from '../../dist/hub-link';
import type * as logLimit from '../../dist/log-limit';
import type * as recoveringAdapter from '../../dist/recovering-adapter';
import type * as requestPipe from '../../dist/request-pipe';
import type * as runFolder from '../../dist/run-folder';
import type * as work from '../../dist/work';
import type * as workers from '../../dist/workers';

const DIST = join(__dirname, '../../../dist');

export type Hub = hub.Hub;
export type HubLink = hubLink.HubLink;
export type Handlers = work.Handlers;

export const { createAdapterFactory, createLink } = require(join(DIST, 'adapter')) as typeof adapter;
export const { Deprecations } = require(join(DIST, 'deprecations')) as typeof deprecations;
export const { ErrorEventLimit } = require(join(DIST, 'failures')) as typeof failures;
export const { Hub } = require(join(DIST, 'hub')) as typeof hub;
export const { controlFrame, eachFrame, FrameReader } = require(join(DIST, 'hub-frames')) as typeof hubFrames;
export const { HubLink } = require(join(DIST, 'hub-link')) as typeof hubLink;
export const { LogLimit } = require(join(DIST, 'log-limit')) as typeof logLimit;
export const { readConfig } = require(join(DIST, 'config')) as typeof config;
export const { RecoveringAdapter } = require(join(DIST, 'recovering-adapter')) as typeof recoveringAdapter;
export const { RequestPipes } = require(join(DIST, 'request-pipe')) as typeof requestPipe;
export const { RunFolder } = require(join(DIST, 'run-folder')) as typeof runFolder;
export const { Work } = require(join(DIST, 'work')) as typeof work;
export const { teamworkOf } = require(join(DIST, 'workers')) as typeof workers;
