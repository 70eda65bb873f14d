import { describeStreams } from './streams.js';

describeStreams('poll');
