/** The options of the kernel, and what it tells about a socket. */
import { MeteredStream } from './metered-stream.js';

export abstract class TunableSocket extends MeteredStream {}
