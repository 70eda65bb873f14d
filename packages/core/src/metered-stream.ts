/** A limit on bytes per second, each direction apart. */
import { MessageStream } from './message-stream.js';

export abstract class MeteredStream extends MessageStream {}
