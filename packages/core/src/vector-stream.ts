/** Gathering sends and scattering receives. */
import { Stream } from './stream.js';

export abstract class VectorStream extends Stream {}
