/** Requests by readiness, where the reactor has kqueue. */
import type * as Async from './async-io.js';
import type * as Iterations from './async-iterations.js';

// A process chooses its backend as it loads the addon.
process.env.SOCK_BACKEND = 'kqueue';
const { describeAsyncIO } = require('./async-io.js') as typeof Async;
const { describeIterations } = require('./async-iterations.js') as typeof Iterations;

describeAsyncIO('kqueue');
describeIterations('kqueue');
