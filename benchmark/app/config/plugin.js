'use strict';

exports.io = { enable: true, path: process.env.BENCH_PLUGIN };

const { BENCH_TEGG } = process.env;
const TEGG = { teggConfig: 'tegg-config', tegg: 'tegg-plugin', teggController: 'tegg-controller-plugin' };
if (BENCH_TEGG) for (const [name, folder] of Object.entries(TEGG)) exports[name] = { enable: true, path: `${BENCH_TEGG}/${folder}` };
