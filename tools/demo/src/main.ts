import { demo } from './demo.js';
import { shown } from './effort.js';

void demo(shown);
