import { describeTlsStreams } from './streams.js';

describeTlsStreams('kqueue');
