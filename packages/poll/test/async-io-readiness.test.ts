import { describeAsyncIO } from './async-io.js';
import { describeIterations } from './async-iterations.js';

describeAsyncIO('edge-triggered');
describeIterations('edge-triggered');
