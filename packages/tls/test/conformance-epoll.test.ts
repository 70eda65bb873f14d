import { describeTlsStreams } from './streams.js';

describeTlsStreams('epoll');
