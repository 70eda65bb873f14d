import { describeStreams } from './streams.js';

describeStreams('kqueue');
