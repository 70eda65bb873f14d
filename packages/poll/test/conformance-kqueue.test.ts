import { describePolls } from './conformance.js';
import { describeWaiting } from './waiting.js';

describePolls('kqueue');
describeWaiting('kqueue');
