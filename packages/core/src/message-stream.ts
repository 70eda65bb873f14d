/** Bytes with descriptors and credentials beside them. */
import { FileStream } from './file-stream.js';

export abstract class MessageStream extends FileStream {}
