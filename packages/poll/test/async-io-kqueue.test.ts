/** Requests by readiness, where the reactor has kqueue. */
import type * as Async from './async-io.js';
import type * as Iterations from './async-iterations.js';
import type * as Trials from './async-trials.js';

// A process chooses its backend as it loads the addon.
process.env.SOCK_BACKEND = 'kqueue';
const { describeAsyncIO } = require('./async-io.js') as typeof Async;
const { describeIterations } = require('./async-iterations.js') as typeof Iterations;
const { describeTrials } = require('./async-trials.js') as typeof Trials;

describeAsyncIO('kqueue');
describeIterations('kqueue');
describe('an AsyncIO at random', () => describeTrials('kqueue'));
