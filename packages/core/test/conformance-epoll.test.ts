import { describeStreams } from './streams.js';

describeStreams('epoll');
