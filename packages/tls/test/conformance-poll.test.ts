import { describeTlsStreams } from './streams.js';

describeTlsStreams('poll');
