/** Files, sent without a copy through this process. */
import { VectorStream } from './vector-stream.js';

export abstract class FileStream extends VectorStream {}
