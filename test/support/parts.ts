/** Parts of the plugin that apps do not import. */
import { join } from 'node:path';
import type * as adapter from '../../dist/backplane/adapter';
import type * as inbox from '../../dist/backplane/inbox';
import type * as refused from '../../dist/backplane/postgres/refused';
import type * as config from '../../dist/config/settings';
import type * as configTables from '../../dist/config/tables';
import type * as deprecations from '../../dist/deprecated/deprecations';
import type * as failures from '../../dist/path/failures';
import type * as inFlight from '../../dist/path/in-flight';
import type * as lifecycle from '../../dist/server/lifecycle';
import type * as agentIo from '../../dist/cluster/agent-io';
import type * as nodeMembers from '../../dist/internals/node';
import type * as hub from '../../dist/cluster/hub/hub';
import type * as hubFrames from '../../dist/cluster/hub/hub-frames';
import type * as hubBackplane from '../../dist/cluster/hub/hub-backplane';
import type * as adapterMembers from '../../dist/internals/adapters';
import type * as eggMembers from '../../dist/internals/egg';
import type * as engineIoMembers from '../../dist/internals/engine-io';
import type * as wsMembers from '../../dist/internals/ws';
import type * as internalsCheck from '../../dist/internals/check';
import type * as members from '../../dist/internals/members';
import type * as socketIoMembers from '../../dist/internals/socket-io';
import type * as logLimit from '../../dist/log-limit';
import type * as recoveringAdapter from '../../dist/backplane/recovering-adapter';
import type * as requestPipes from '../../dist/cluster/routing/request-pipes';
import type * as recovery from '../../dist/backplane/wrappers/recovery';
import type * as runFolder from '../../dist/cluster/run-folder';
import type * as sessionRouting from '../../dist/cluster/routing/session-routing';
import type * as topology from '../../dist/cluster/topology';

const DIST = join(__dirname, '../../../dist');

export type Hub = hub.Hub;
export type HubBackplane = hubBackplane.HubBackplane;
export type Handlers = inFlight.Handlers;

export const { meaningOf } = require(join(DIST, 'backplane/postgres/refused')) as typeof refused;
export const { createAdapterFactory, createBackplane } = require(join(DIST, 'backplane/adapter')) as typeof adapter;
export const { Inbox } = require(join(DIST, 'backplane/inbox')) as typeof inbox;
export const { Deprecations } = require(join(DIST, 'deprecated/deprecations')) as typeof deprecations;
export const { ErrorEventLimit } = require(join(DIST, 'path/failures')) as typeof failures;
export const { AgentIo } = require(join(DIST, 'cluster/agent-io')) as typeof agentIo;
export type AgentIo = agentIo.AgentIo;
export const { serverOf } = require(join(DIST, 'internals/node')) as typeof nodeMembers;
export const { Hub } = require(join(DIST, 'cluster/hub/hub')) as typeof hub;
export const { controlFrame, eachFrame, FrameReader, HEADER, MAX_FRAME, writeHeader } = require(
  join(DIST, 'cluster/hub/hub-frames'),
) as typeof hubFrames;
export const { HubBackplane } = require(join(DIST, 'cluster/hub/hub-backplane')) as typeof hubBackplane;
export const { LogLimit } = require(join(DIST, 'log-limit')) as typeof logLimit;
export const { INIT_DEFAULTS, INIT_TYPES } = require(join(DIST, 'config/tables')) as typeof configTables;
export const { readConfig } = require(join(DIST, 'config/settings')) as typeof config;
export const { RecoveringAdapter } = require(join(DIST, 'backplane/recovering-adapter')) as typeof recoveringAdapter;
export const { RequestPipes } = require(join(DIST, 'cluster/routing/request-pipes')) as typeof requestPipes;
export const { recoverConnections } = require(join(DIST, 'backplane/wrappers/recovery')) as typeof recovery;
export const { RunFolder } = require(join(DIST, 'cluster/run-folder')) as typeof runFolder;
export type RunFolder = runFolder.RunFolder;
export const { SessionRouting } = require(join(DIST, 'cluster/routing/session-routing')) as typeof sessionRouting;
export const { topologyOf } = require(join(DIST, 'cluster/topology')) as typeof topology;
export const { InFlight } = require(join(DIST, 'path/in-flight')) as typeof inFlight;
export const { lifecycleOf } = require(join(DIST, 'server/lifecycle')) as typeof lifecycle;
export const adapterInternals = require(join(DIST, 'internals/adapters')) as typeof adapterMembers;
export const socketIoInternals = require(join(DIST, 'internals/socket-io')) as typeof socketIoMembers;
export const eggInternals = require(join(DIST, 'internals/egg')) as typeof eggMembers;
export const engineIoInternals = require(join(DIST, 'internals/engine-io')) as typeof engineIoMembers;
export const wsInternals = require(join(DIST, 'internals/ws')) as typeof wsMembers;
export const { makeSpecimens, serverSpecimens } = require(join(DIST, 'internals/check')) as typeof internalsCheck;
export const { checkInternals, requireMembers, TESTED_VERSIONS } = require(join(DIST, 'internals/members')) as typeof members;
