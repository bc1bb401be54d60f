'use strict';

exports.io = { enable: true, path: process.env.BENCH_PLUGIN };
