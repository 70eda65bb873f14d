import { describeHostileSequences } from './support/hostile-sequences.js';
import { describeHostileValues } from './support/hostile-values.js';

describeHostileValues('poll');
describeHostileSequences('poll');
