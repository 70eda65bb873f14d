/** Requests at random on what Linux has; those over kqueue are in async-io-kqueue.test.ts. */
import { describeWithPeers } from '@sock/testing';
import { describeTrials } from './async-trials.js';

describe('an AsyncIO at random', () => {
  describeWithPeers(['io_uring'], 'where there is io_uring', () => describeTrials('io_uring'));
  describeTrials('edge-triggered');
});
